"""Whoever is urgent goes first, no more run at one time than may, and who is cancelled leaves no place behind."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from config.process import end
from worker.measuring import Measuring


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


async def test_the_urgent_go_first_and_the_others_in_order(threads: ThreadPoolExecutor) -> None:
    measuring, held, done = Measuring(threads, places=1), threading.Event(), list[str]()
    first = asyncio.create_task(measuring.run(held.wait, is_urgent=False))
    await asyncio.sleep(0)
    names = ["row 1", "row 2", "urgent 1", "row 3", "urgent 2"]
    others = [asyncio.create_task(measuring.run(done.append, name, is_urgent=name[0] == "u")) for name in names]
    await asyncio.sleep(0)
    held.set()
    await asyncio.gather(first, *others)
    assert done == ["urgent 1", "urgent 2", "row 1", "row 2", "row 3"]


async def test_no_more_run_than_may_and_what_fails_or_is_cancelled_frees_its_place(threads: ThreadPoolExecutor) -> None:
    measuring, held, running, most = Measuring(threads, places=2), threading.Event(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        held.wait()
        with lock:
            running -= 1
        raise ValueError

    tasks = [asyncio.create_task(measuring.run(work, is_urgent=False)) for _ in range(6)]
    await asyncio.sleep(0)
    await end(*tasks[2:4])
    held.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended].count(ValueError) == 4
    assert most == 2
    assert await measuring.run(int, "5", is_urgent=True) == 5
