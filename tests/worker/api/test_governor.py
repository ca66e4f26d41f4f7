"""The governor over real Redis, in time that the test moves: limit, penalty, line, and what the provider tells."""

import asyncio
import contextlib
import heapq
import uuid
from datetime import timedelta

import pytest
from arq.connections import ArqRedis
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from config.settings import Settings
from worker.api.governor import MARGIN, Departure, Governor, Leave, Limit, Turn, stricter
from worker.api.keys import Group
from worker.enrollment.errors import RetryLaterError

_WINDOW = timedelta(seconds=60)
_SECOND = 1000
_MARGIN_S = 60 * MARGIN
_WAIT_S = 60 + _MARGIN_S  # a window, or the usual penalty, as we keep it


class World:
    """One provider's budget, any number of workers, and their common time."""

    def __init__(self, redis: ArqRedis, account: str, *, calls: int) -> None:
        self.now_ms = 1_800_000_000_000
        self._redis = redis
        self._group = Group(account, "app", uuid.uuid4().hex, "heavy")
        self.workers = [self.worker(calls) for _ in range(3)]

    def worker(self, calls: int, *, window: timedelta = _WINDOW) -> Governor:
        limit = Limit(calls, window)
        return Governor(self._redis, group=self._group, limit=limit, clock=lambda: self.now_ms)

    def wait(self, seconds: float) -> None:
        self.now_ms += round(seconds * _SECOND)

    async def ask(self, who: str = "anna", turn: Turn = Turn.START, *, worker: int = 0) -> Leave | float:
        """A leave, or the seconds to wait."""
        try:
            return await self.workers[worker].reserve(who, turn=turn)
        except RetryLaterError as postponed:
            return postponed.after.total_seconds()

    async def call(self, who: str = "anna", turn: Turn = Turn.START, *, worker: int = 0) -> Departure:
        leave = await self.ask(who, turn, worker=worker)
        assert isinstance(leave, Leave), leave
        return await self.workers[worker].depart(leave)

    async def fill(self, calls: int) -> None:
        for number in range(calls):
            await self.call(f"filler{number}")


@pytest.fixture
def world(redis: ArqRedis, settings: Settings) -> World:
    return World(redis, settings.account, calls=5)


def told(limit: int, remaining: int, *, group: str = "heavy") -> dict[str, str]:
    names = {"Group": group, "Limit": str(limit), "Remaining": str(remaining), "Window": "60"}
    return {f"X-Rate-Limit-{name}": value for name, value in names.items()}


async def test_calls_over_the_allowance_wait_for_the_window(world: World) -> None:
    asked = (world.ask(f"w{number}", worker=number % 3) for number in range(12))
    outcomes = await asyncio.gather(*asked)
    assert sum(isinstance(outcome, Leave) for outcome in outcomes) == 5
    waits = [outcome for outcome in outcomes if not isinstance(outcome, Leave)]
    assert all(60 <= wait <= 123 for wait in waits)


async def test_a_place_is_free_one_window_after_its_call_was_sent(world: World) -> None:
    leave = await world.ask()
    assert isinstance(leave, Leave)
    world.wait(5)
    await world.workers[0].depart(leave)
    await world.fill(4)
    world.wait(59)
    assert await world.ask() == pytest.approx(1 + _MARGIN_S)
    world.wait(1 + _MARGIN_S)
    assert isinstance(await world.ask(), Leave)


@given(
    steps=st.lists(st.tuples(st.floats(0, 40), st.floats(0, 12), st.integers(0, 2)), min_size=10, max_size=60),
    calls=st.integers(1, 4),
)
@effort(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_window_holds_more_whoever_calls_and_however_late(
    redis: ArqRedis, settings: Settings, steps: list[tuple[float, float, int]], calls: int
) -> None:
    """Each step: time passes, one asks, dawdles while others ask too, and calls if its leave still holds."""
    world = World(redis, settings.account, calls=calls)
    open_leaves, left = list[tuple[int, Leave]](), list[int]()
    for gap, dawdles, worker in steps:
        world.wait(gap / 4)
        for due in [one for one in open_leaves if one[0] <= world.now_ms]:
            open_leaves.remove(due)
            with contextlib.suppress(RetryLaterError):
                left.append((await world.workers[worker].depart(due[1])).left_ms)
        leave = await world.ask(f"w{len(left)}", worker=worker)
        if isinstance(leave, Leave):
            open_leaves.append((world.now_ms + round(dawdles * _SECOND), leave))
    for first, later in zip(left, left[calls:], strict=False):
        assert later - first >= 60_000


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [({"Retry-After": "7"}, 7), ({}, 60), ({"Retry-After": "soon"}, 60), ({"Retry-After": "0"}, 60)],
)
async def test_a_429_parks_every_worker(world: World, headers: dict[str, str], pause_s: int) -> None:
    departure = await world.call()
    await world.workers[0].observe(429, headers, departure=departure)
    assert await world.ask("berta", worker=1) == pytest.approx(pause_s * (1 + MARGIN), abs=0.1)


async def test_a_leave_given_before_the_penalty_is_void_in_it(world: World) -> None:
    departure, leave = await world.call(), await world.ask("berta", worker=1)
    assert isinstance(leave, Leave)
    await world.workers[0].observe(429, {}, departure=departure)
    with pytest.raises(RetryLaterError) as refused:
        await world.workers[1].depart(leave)
    assert refused.value.after.total_seconds() == pytest.approx(_WAIT_S)


async def test_calls_that_were_under_way_prolong_the_penalty(world: World) -> None:
    first, second = await world.call("anna"), await world.call("berta", worker=1)
    await world.workers[0].observe(429, {}, departure=first)
    world.wait(20)
    await world.workers[1].observe(429, {}, departure=second)
    assert await world.ask() == pytest.approx(_WAIT_S)
    await world.workers[0].observe(429, {"Retry-After": "1"}, departure=first)
    assert await world.ask() == pytest.approx(_WAIT_S)


async def test_after_a_penalty_one_call_goes_ahead_and_the_others_follow_its_answer(world: World) -> None:
    await world.workers[0].observe(429, {}, departure=await world.call())
    world.wait(62)
    probe = await world.call("anna")
    assert probe.is_probe
    blocked = await world.ask("berta", worker=1)
    assert isinstance(blocked, float)
    assert blocked < 1
    await world.workers[0].observe(201, {}, departure=probe)
    for number in range(4):
        await world.call(f"w{number}", worker=2)


async def test_a_late_answer_from_before_the_penalty_frees_nobody(world: World) -> None:
    early, late = await world.call("anna"), await world.call("berta")
    await world.workers[0].observe(429, {}, departure=early)
    world.wait(62)
    await world.call("probe")
    await world.workers[0].observe(200, told(5, 4), departure=late)
    assert isinstance(await world.ask("carla"), float)


async def test_a_probe_that_is_never_answered_is_followed_by_another(world: World) -> None:
    await world.workers[0].observe(429, {}, departure=await world.call())
    world.wait(62)
    await world.call("probe")
    world.wait(30)
    assert isinstance(await world.ask("berta"), float)
    world.wait(6)
    assert (await world.call("berta")).is_probe


async def test_a_penalty_that_somebody_else_keeps_alive_is_waited_out_ever_longer(world: World) -> None:
    """Two who both call once a penalty would prolong it for each other for ever."""
    await world.workers[0].observe(429, {}, departure=await world.call())
    waits = list[float]()
    for _ in range(6):
        world.wait(waits[-1] if waits else _WAIT_S)
        await world.workers[0].observe(429, {}, departure=await world.call("probe"))
        waits.append(float(str(await world.ask("berta"))))
    assert waits == pytest.approx([_WAIT_S * times for times in (2, 4, 8, 16, 16, 16)], abs=0.1)
    world.wait(waits[-1])
    await world.workers[0].observe(200, {}, departure=await world.call("probe"))
    await world.workers[0].observe(429, {}, departure=await world.call("berta"))
    assert await world.ask("carla") == pytest.approx(_WAIT_S, abs=0.1)


async def test_a_probe_that_found_nobody_lets_the_next_one_try(world: World) -> None:
    await world.workers[0].observe(429, {}, departure=await world.call())
    world.wait(62)
    await world.workers[0].take_back(await world.call("probe"))
    assert (await world.call("berta")).is_probe


async def test_a_call_that_could_not_leave_does_not_count(world: World) -> None:
    await world.workers[0].take_back(await world.call())
    await world.fill(5)


async def test_a_leave_that_is_not_used_in_time_is_void_and_its_place_free(world: World) -> None:
    leave = await world.ask()
    await world.fill(4)
    assert isinstance(leave, Leave)
    assert isinstance(await world.ask("berta"), float)
    world.wait(11)
    assert isinstance(await world.ask("berta"), Leave)
    with pytest.raises(RetryLaterError):
        await world.workers[0].depart(leave)


async def test_who_finishes_goes_before_who_starts(world: World) -> None:
    await world.fill(5)
    first = await world.ask("starts")
    world.wait(1)
    second = await world.ask("finishes", Turn.FINISH)
    assert isinstance(first, float)
    assert isinstance(second, float)
    world.wait(first - 1)
    assert isinstance(await world.ask("finishes", Turn.FINISH), Leave)


async def test_when_many_wait_they_leave_one_by_one(world: World) -> None:
    """A burst would run into a stranger's penalty as a whole."""
    await world.fill(5)
    for number in range(8):
        await world.ask(f"w{number}")
    world.wait(62)
    await world.call("w0")
    assert await world.ask("w1") == pytest.approx(0.8 * _WAIT_S / 5, abs=0.1)
    world.wait(10)
    await world.call("w1")


async def test_those_far_behind_come_back_at_times_of_their_own(redis: ArqRedis, settings: Settings) -> None:
    world = World(redis, settings.account, calls=1)
    await world.fill(1)
    waits = [float(str(await world.ask(f"w{number:03}"))) for number in range(300)]
    assert waits[0] == pytest.approx(_WAIT_S)
    assert all(1800 <= wait <= 3600 for wait in waits[100:])
    assert len({round(wait) for wait in waits}) > 250


async def test_within_a_turn_the_longest_waiting_goes_first(world: World) -> None:
    await world.fill(1)
    world.wait(30)
    await world.fill(4)
    await world.ask("early")
    world.wait(1)
    await world.ask("late")
    world.wait(29 + _MARGIN_S)  # one place is free now
    assert isinstance(await world.ask("late"), float)
    assert isinstance(await world.ask("early"), Leave)


async def test_a_place_is_not_kept_for_who_does_not_come(world: World) -> None:
    await world.fill(1)
    world.wait(30)
    await world.fill(4)
    await world.ask("dead", Turn.FINISH)
    told_to_wait = await world.ask("alive")
    assert isinstance(told_to_wait, float)
    assert 30 < told_to_wait < 30 + _MARGIN_S + 1.1  # though its own place is free half a minute later
    world.wait(30 + _MARGIN_S + 0.5)
    assert isinstance(await world.ask("alive"), float)
    world.wait(0.6)
    assert isinstance(await world.ask("alive"), Leave)


async def test_who_comes_no_more_is_forgotten(world: World, redis: ArqRedis) -> None:
    await world.fill(5)
    for number in range(4):
        await world.ask(f"dead{number}")
    world.wait(2 * _WAIT_S + 301)
    await world.ask("alive")
    lines = [key async for key in redis.scan_iter("*:line") if await redis.zscore(key, "dead0") is not None]
    assert lines == []


async def test_an_idle_call_leaves_half_of_the_budget_and_never_goes_first(world: World) -> None:
    await world.fill(2)
    assert isinstance(await world.ask("list", Turn.IDLE), Leave)
    assert isinstance(await world.ask("list", Turn.IDLE), float)
    assert isinstance(await world.ask("start", Turn.START), Leave)


async def test_without_a_limit_all_calls_leave(redis: ArqRedis, settings: Settings) -> None:
    world = World(redis, settings.account, calls=0)
    await world.fill(50)
    assert isinstance(await world.ask("list", Turn.IDLE), Leave)


async def test_a_limit_that_the_provider_tells_is_kept(redis: ArqRedis, settings: Settings) -> None:
    world = World(redis, settings.account, calls=0)
    departure = await world.call()
    await world.workers[0].observe(200, told(4, 3), departure=departure)
    await world.fill(3)
    assert await world.ask("berta", worker=1) == pytest.approx(_WAIT_S, abs=0.1)


async def test_a_wider_limit_of_the_provider_changes_nothing(world: World) -> None:
    await world.workers[0].observe(200, told(50, 49), departure=await world.call())
    await world.fill(4)
    assert isinstance(await world.ask("berta", worker=1), float)


async def test_another_groups_limit_is_not_ours(world: World) -> None:
    departure = await world.call()
    await world.workers[0].observe(200, told(1, 0, group="light"), departure=departure)
    await world.fill(4)


async def test_the_groups_name_is_read_in_any_case(world: World) -> None:
    await world.workers[0].observe(200, told(1, 0, group="Heavy"), departure=await world.call())
    assert isinstance(await world.ask("berta"), float)


async def test_calls_of_others_count(world: World) -> None:
    """Five are allowed, we made one, the provider says that one is left: three were somebody else's."""
    await world.workers[0].observe(200, told(5, 1), departure=await world.call())
    await world.fill(1)
    assert await world.ask("berta", worker=1) == pytest.approx(_WAIT_S, abs=0.1)


async def test_our_own_calls_are_not_taken_for_others(world: World) -> None:
    """An answer that was under way for long tells of a window in which calls were that have ended since."""
    old = await world.call("old")
    world.wait(1)
    slow = await world.call("slow")
    world.wait(62)
    await world.workers[0].observe(200, told(5, 3), departure=slow)
    await world.fill(5)
    assert old.left_ms < slow.left_ms


async def test_what_we_leave_to_others_anyway_is_theirs(redis: ArqRedis, settings: Settings) -> None:
    world = World(redis, settings.account, calls=2)
    departure = await world.call()
    await world.workers[0].observe(200, told(5, 1), departure=departure)  # three of others, as many as we leave
    await world.call("berta")
    assert isinstance(await world.ask("carla"), float)


async def test_nothing_left_is_waited_out_where_the_limit_is_not_told(world: World) -> None:
    headers = {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Window": "20"}
    await world.workers[0].observe(200, headers, departure=await world.call())
    assert await world.ask("berta", worker=1) == pytest.approx(20 * (1 + MARGIN), abs=0.1)


@given(
    calls=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    windows=st.tuples(st.integers(1, 100), st.integers(1, 100)),
)
def test_the_stricter_limit_keeps_both(calls: tuple[int, int], windows: tuple[int, int]) -> None:
    """Whoever calls as fast as it allows, `calls` at once each `window`, breaks neither of the two."""
    limits = [Limit(number, timedelta(seconds=length)) for number, length in zip(calls, windows, strict=True)]
    both = stricter(*limits)
    for limit in limits:
        bursts = -(-limit.window // both.window)  # beginnings of a burst that one window can hold
        assert bursts * both.calls <= limit.calls


def test_no_limit_is_no_limit() -> None:
    none, some = Limit(0, _WINDOW), Limit(3, timedelta(seconds=9))
    assert stricter(none, some) == stricter(some, none) == some
    assert stricter(none, none) == none


async def test_all_who_wait_are_served_in_turn_and_ask_seldom(redis: ArqRedis, settings: Settings) -> None:
    """Two hundred wait; each comes back when told to. The budget is used, the order kept, and few questions asked."""
    world = World(redis, settings.account, calls=10)
    start_ms, served, asked = world.now_ms, list[str](), 0
    coming = [(world.now_ms + number, f"w{number:03}") for number in range(200)]
    while coming:
        world.now_ms, who = heapq.heappop(coming)
        outcome = await world.ask(who, worker=asked % 3)
        asked += 1
        if isinstance(outcome, Leave):
            await world.workers[0].depart(outcome)
            served.append(who)
        else:
            heapq.heappush(coming, (world.now_ms + round(outcome * _SECOND) + asked % 50, who))
    assert sorted(served) == [f"w{number:03}" for number in range(200)]
    places = [abs(place - int(who[1:])) for place, who in enumerate(served)]
    assert max(places) <= 10  # within one window
    assert world.now_ms - start_ms < 20 * 1000 * _WAIT_S * 1.03  # the last window is spread out
    assert asked < 8 * len(served)
