"""Group commit by itself: who leaves with whom, and what each is told when the store is slow, broken or frozen."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook import groups
from webhook.groups import FullError, Groups, NotWrittenError

_SOON_S = 0.3
_PATIENCE_S = 20


class Store:
    """Takes groups down; each write waits until it is let go, with an error or without."""

    def __init__(self) -> None:
        self.taken: list[list[int]] = []
        self.came = asyncio.Semaphore(0)
        self._doors: list[asyncio.Future[None]] = []

    async def write(self, group: Sequence[int]) -> None:
        self.taken.append(list(group))
        door = asyncio.get_running_loop().create_future()
        self._doors.append(door)
        self.came.release()
        await door

    def forget(self) -> None:
        """Those writes were given up."""
        self._doors.clear()

    def let_go(self, error: Exception | None = None) -> None:
        door = self._doors.pop(0)
        if error:
            door.set_exception(error)
        else:
            door.set_result(None)


@pytest.fixture
def store() -> Store:
    return Store()


def putting(some: Groups[int], *items: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(some.put(item)) for item in items]


async def under_way(some: Groups[int], store: Store, item: int) -> asyncio.Task[None]:
    """An item that the store is busy with."""
    (task,) = putting(some, item)
    await store.came.acquire()
    return task


async def test_the_first_leaves_at_once_and_the_later_ones_together(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=5)
    first = await under_way(some, store, 1)
    later = putting(some, 2, 3, 4)
    await asyncio.sleep(0)
    assert store.taken == [[1]]
    store.let_go()
    await first
    await store.came.acquire()
    assert store.taken == [[1], [2, 3, 4]]
    assert not any(task.done() for task in later)
    store.let_go()
    await asyncio.gather(*later)


async def test_crowds_leave_by_flights_of_their_own_until_four_are_under_way(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=5)
    tasks = [await under_way(some, store, 0)]
    tasks += putting(some, *range(1, 8))  # one less than a crowd
    for _ in range(5):
        await asyncio.sleep(0)
    assert store.taken == [[0]]
    tasks += putting(some, 8)
    await store.came.acquire()
    for items in (range(9, 17), range(17, 67)):
        tasks += putting(some, *items)
        await store.came.acquire()
    assert store.taken == [[0], list(range(1, 9)), list(range(9, 17)), list(range(17, 67))]
    tasks += putting(some, *range(67, 100))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(store.taken) == 4
    store.let_go()
    await tasks[0]
    await store.came.acquire()
    assert store.taken[4] == list(range(67, 100))
    for _ in range(4):
        store.let_go()
    await asyncio.gather(*tasks)


async def test_those_that_come_in_the_same_moment_leave_together(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=5)
    tasks = putting(some, *range(300))
    for _ in range(3):
        await store.came.acquire()
        store.let_go()
    await asyncio.gather(*tasks)
    assert [len(group) for group in store.taken] == [128, 128, 44]
    assert [item for group in store.taken for item in group] == list(range(300))


async def test_a_failure_is_told_to_the_group_and_to_all_that_wait(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=5)
    failing = await under_way(some, store, 1)
    waiting = putting(some, 2, 3)
    await asyncio.sleep(0)
    store.let_go(ConnectionError("gone"))
    told = await asyncio.gather(failing, *waiting, return_exceptions=True)
    causes = [(type(one), type(getattr(one, "__cause__", None))) for one in told]
    assert causes == [(NotWrittenError, ConnectionError)] * 3
    assert store.taken == [[1]]


async def test_after_a_failure_the_next_is_tried_again(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=5)
    (failing,) = putting(some, 1)
    await store.came.acquire()
    store.let_go(ConnectionError("gone"))
    with pytest.raises(NotWrittenError):
        await failing
    (again,) = putting(some, 1)
    await store.came.acquire()
    store.let_go()
    await again


async def test_one_that_goes_away_takes_nobody_with_it(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=5)
    tasks = putting(some, 1, 2, 3)
    await store.came.acquire()
    waiting = putting(some, 4, 5)
    await asyncio.sleep(0)
    for gone in (tasks[1], waiting[0]):
        gone.cancel()
    await asyncio.wait({tasks[1], waiting[0]})
    store.let_go()
    await asyncio.gather(tasks[0], tasks[2])
    await store.came.acquire()
    store.let_go()
    await waiting[1]


async def test_a_frozen_store_is_given_up_in_time_and_its_late_end_hurts_nobody(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=_SOON_S)
    hanging = [await under_way(some, store, 1), *putting(some, 2)]
    told = await asyncio.gather(*hanging, return_exceptions=True)
    assert [type(getattr(one, "__cause__", None)) for one in told] == [TimeoutError] * 2
    store.forget()
    later = await under_way(some, store, 3)
    assert store.taken == [[1], [3]]
    store.let_go()
    await later


async def test_a_write_that_does_not_heed_its_cancellation_is_left_behind(store: Store) -> None:
    free = asyncio.Event()

    async def deaf_at_first(group: Sequence[int]) -> None:
        if list(group) != [1]:
            await store.write(group)
            return
        while not free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await free.wait()
        raise ConnectionError("late")

    some = Groups[int](deaf_at_first, timeout_s=_SOON_S)
    with pytest.raises(NotWrittenError):
        await some.put(1)
    flying = await under_way(some, store, 2)
    (waiting,) = putting(some, 3)
    free.set()
    for _ in range(5):  # the deaf one ends now, and must tell nobody
        await asyncio.sleep(0)
    assert store.taken == [[2]]
    store.let_go()
    await store.came.acquire()
    store.let_go()
    await asyncio.gather(flying, waiting)


async def test_no_more_than_a_set_number_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_MOST_WAITING", 3)
    some = Groups[int](store.write, timeout_s=5)
    flying = await under_way(some, store, 0)
    waiting = putting(some, 1, 2, 3)
    await asyncio.sleep(0)
    with pytest.raises(FullError):
        await some.put(4)
    store.let_go()
    await store.came.acquire()
    store.let_go()
    await asyncio.gather(flying, *waiting)


async def test_one_that_comes_just_as_the_last_ended_is_not_left_behind() -> None:
    async def at_once(_group: Sequence[int]) -> None:
        pass

    some = Groups[int](at_once, timeout_s=5)
    async with asyncio.timeout(5):
        for number in range(50):
            waiting = putting(some, *range(3))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            await asyncio.gather(some.put(1), *waiting)


@given(
    arrivals=st.lists(st.tuples(st.integers(1, 80), st.integers(0, 6)), max_size=12),
    writes=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), max_size=12),
)
async def test_whatever_comes_when_everybody_is_told_and_nobody_before_the_write(
    arrivals: list[tuple[int, int]], writes: list[tuple[int, int]]
) -> None:
    """Arrivals: how many at once, and turns of the loop until the next; writes: turns they take, 0: they fail."""
    written, plan = set[int](), iter(writes)

    async def write(group: Sequence[int]) -> None:
        turns, luck = next(plan, (1, 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not luck:
            raise ConnectionError
        written.update(group)

    async def told(item: int) -> None:
        try:
            await some.put(item)
        except NotWrittenError:
            assert item not in written
        else:
            assert item in written

    some, numbers, tasks = Groups[int](write, timeout_s=60), itertools.count(), []
    for number, turns in arrivals:
        tasks += [asyncio.create_task(told(next(numbers))) for _ in range(number)]
        for _ in range(turns):
            await asyncio.sleep(0)
    async with asyncio.timeout(_PATIENCE_S):
        await asyncio.gather(*tasks)
        await some.close()


async def test_closing_waits_for_what_is_under_way(store: Store) -> None:
    some = Groups[int](store.write, timeout_s=5)
    tasks = putting(some, 1)
    await store.came.acquire()
    closing = asyncio.create_task(some.close())
    await asyncio.sleep(0)
    assert not closing.done()
    store.let_go()
    await closing
    await asyncio.gather(*tasks)
