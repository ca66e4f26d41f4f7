"""Threads that measure recordings, one core each: whoever was handed in alone goes before batches."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

T = TypeVar("T")


class Measuring:
    """Runs so many functions at one time as there are threads, the urgent first, else in order.

    Args:
        threads: where they run.
        places: so many at one time.
    """

    def __init__(self, threads: Executor, *, places: int) -> None:
        self._threads = threads
        self._free = places
        self._numbers = count()
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []

    async def run(self, function: Callable[..., T], *args: Any, is_urgent: bool) -> T:
        """What the function returns, or raises."""
        await self._enter(is_urgent=is_urgent)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        finally:
            self._leave()

    async def _enter(self, *, is_urgent: bool) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (not is_urgent, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            _, _, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
