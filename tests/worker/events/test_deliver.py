"""Events on their way to endpoints, by a clock of their own: nothing lost, order per speaker kept, nobody delayed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from arq.connections import ArqRedis
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from standardwebhooks import Webhook

from config.settings import Settings
from tests.support.lives import START
from tests.support.waiting import until
from tests.worker.events.outside import SECRETS, Line
from worker.deliver import DELAYS_S, Pump


@pytest.fixture
async def line(redis: ArqRedis, settings: Settings) -> Line:
    return Line(redis, settings)


async def test_events_go_out_in_order_and_once_while_all_is_well(line: Line) -> None:
    pump = await line.add("crm")
    for number in range(40):
        await line.tell(f"s{number % 3}", number)
    await line.work(pump)
    order = line.outside.order("http://crm")
    assert sorted(chain(*order.values())) == list(range(40))
    assert all(numbers == sorted(numbers) for numbers in order.values())
    health = await line.endpoints.health("crm")
    assert (health.delivered, health.failed, health.waiting, health.answer) == (40, 0, 0, "taken")


async def test_only_what_is_asked_for_and_only_what_comes_after(line: Line) -> None:
    await line.tell("s", 1)
    pump = await line.add("crm", "enrollment.*")
    await line.work(pump)
    assert line.outside.seen == []
    await line.log.tell("enrollment.completed", {}, at=START, speaker_id="s")
    await line.work(pump)
    assert [event["type"] for event in line.outside.got["http://crm"]] == ["enrollment.completed"]


async def test_each_post_is_signed_with_every_secret(line: Line) -> None:
    pump = await line.add("crm", secrets=SECRETS)
    line.outside.now = datetime.now(UTC)  # the library looks at the real clock
    await line.tell("s", 1)
    await line.work(pump)
    ((_, body, headers),) = line.outside.seen
    for secret in SECRETS:
        assert Webhook(secret).verify(body, dict(headers))["id"] == headers["webhook-id"]
    assert headers["webhook-signature"].count("v1,") == 2


async def test_a_refused_event_holds_up_its_speaker_alone(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [500]
    await line.tell("anna", 1)
    await line.work(pump)
    await line.tell("anna", 2)
    await line.tell("ben", 3)
    await line.work(pump)
    assert line.outside.order("http://crm")["ben"] == [3]
    assert "anna" in line.outside.order("http://crm")  # ben's was taken, so the endpoint is back: anna's is due
    assert line.outside.order("http://crm")["anna"] == [1, 2]


async def test_an_endpoint_that_is_down_for_an_hour_misses_nothing(line: Line) -> None:
    pump = await line.add("crm")
    back = line.outside.now + timedelta(hours=1)
    line.outside.answers["http://crm"] = [0] * 1000
    for number in range(60):
        await line.tell(f"s{number % 5}", number)
    await line.work(pump)
    while line.outside.now < back:
        due = await line.endpoints.next_due_ms("crm")
        assert due is not None
        line.outside.now = min(back, max(line.outside.now, datetime.fromtimestamp(due / 1000, UTC)))
        await line.work(pump)
        line.outside.now += timedelta(seconds=1)
    tried = len(line.outside.seen)
    line.outside.answers["http://crm"].clear()
    await line.wait("crm", pump)
    order = line.outside.order("http://crm")
    assert all(order[f"s{k}"] == list(range(k, 60, 5)) for k in range(5))
    assert tried <= 5 * 5  # of each lane the first only, at 0 s, 5 s, 5 min and 35 min
    assert line.outside.now - back < timedelta(hours=3)


async def test_after_ten_tries_in_three_days_an_event_is_given_up_and_the_next_one_goes(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [500] * 10
    await line.tell("s", 1)
    await line.tell("s", 2)
    began = line.outside.now
    await line.wait("crm", pump)
    assert line.outside.order("http://crm") == {"s": [2]}
    health = await line.endpoints.health("crm")
    assert (health.given_up, health.failed, health.delivered) == (1, 10, 1)
    lasted_h = (line.outside.now - began) / timedelta(hours=1)
    assert 0.8 * sum(DELAYS_S) / 3600 <= lasted_h <= 1.2 * sum(DELAYS_S) / 3600
    assert sum(DELAYS_S) / 3600 == pytest.approx(72, abs=1)


async def test_gone_disables(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [410]
    await line.tell("s", 1)
    await line.work(pump)
    known = await line.endpoints.get("crm")
    assert known is not None
    assert "410" in known.disabled
    assert not await pump.step()
    assert await line.endpoints.change("crm", lambda known: replace(known, disabled=""))
    await line.wait("crm", pump)
    assert line.outside.order("http://crm") == {"s": [1]}  # nothing was lost


async def test_a_slow_endpoint_delays_no_other(line: Line) -> None:
    slow, quick = await line.add("slow"), await line.add("quick")
    line.outside.held["http://slow"] = asyncio.Event()
    for number in range(30):
        await line.tell(f"s{number}", number)
    await slow.step()
    await line.work(quick)
    assert len(line.outside.got["http://quick"]) == 30
    assert sum(url == "http://slow" for url, _, _ in line.outside.seen) == 8  # so many at once, and no more
    line.outside.held.pop("http://slow").set()
    await line.work(slow)
    assert len(line.outside.got["http://slow"]) == 30


async def test_what_was_under_way_when_a_process_died_is_sent_again(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.held["http://crm"] = asyncio.Event()
    await line.tell("s", 1)
    await pump.step()
    await until(lambda: bool(line.outside.seen))
    await pump.close()
    line.outside.held.clear()
    again = Pump(line.ways, "crm")
    await line.work(again)
    assert line.outside.order("http://crm") == {"s": [1]}
    first, second = (headers["webhook-id"] for _, _, headers in line.outside.seen)
    assert first == second


async def test_events_that_the_stream_forgot_are_counted_not_waited_for(
    line: Line, redis: ArqRedis, settings: Settings
) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [500]
    await line.tell("s", 1)
    await line.tell("s", 2)
    await line.work(pump)
    await redis.xtrim(f"vx:{{{settings.account}}}:events", maxlen=1, approximate=False)
    await line.wait("crm", pump)
    health = await line.endpoints.health("crm")
    assert (health.forgotten, health.delivered, health.waiting) == (1, 1, 0)
    assert line.outside.order("http://crm") == {"s": [2]}


@given(
    told=st.lists(st.integers(0, 3), min_size=1, max_size=25),
    answers=st.lists(st.sampled_from([200, 500, 0, 429, 302]), max_size=9),
    deaths=st.sets(st.integers(0, 20), max_size=4),
)
@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_the_endpoint_does_each_event_comes_in_order(
    redis: ArqRedis, settings: Settings, *, told: list[int], answers: list[int], deaths: set[int]
) -> None:
    line = Line(redis, settings)
    name = f"e{hash((tuple(told), tuple(answers), frozenset(deaths))) & 0xFFFFFFFF}"
    await redis.delete(f"vx:{{{settings.account}}}:events")
    pump = await line.add(name)
    line.outside.answers[f"http://{name}"] = list(answers)
    for number, speaker in enumerate(told):
        await line.tell(f"s{speaker}", number)
        if number in deaths:
            await pump.step()
            await pump.close()
            pump = Pump(line.ways, name)
    await line.wait(name, pump)
    for who, numbers in line.outside.order(f"http://{name}").items():
        assert list(dict.fromkeys(numbers)) == [number for number, one in enumerate(told) if f"s{one}" == who]
    assert len(line.outside.order(f"http://{name}")) == len(set(told))
    health = await line.endpoints.health(name)
    assert health.given_up == 0
    assert await line.endpoints.remove(name)
