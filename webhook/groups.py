"""Group commit: what arrives together is written together, and each is told only once its own write is acknowledged.

The first item leaves at once; those that come while it is under way leave with the next group. Where a group can't
be written, all that wait fail with it, since the same store would not take them: nobody waits longer than one timeout,
and no more than a set number wait at all. Items are opaque; the store is the caller's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

T = TypeVar("T")
Told = Callable[[Exception | None], None]
_Group = Sequence[tuple[T, Told]]
_CROWD = 8  # so many waiting leave by a flight of their own: nobody takes turns, neither sender nor door nor store
_MOST_FLIGHTS = 4
_MOST_AT_ONCE = 128
_MOST_WAITING = 1_024  # 8 groups: some tens of milliseconds of work


class FullError(Exception):
    """As many as may wait do so already; nothing was tried."""


class NotWrittenError(Exception):
    """The group was not acknowledged; `__cause__` says why. It may be written all the same."""


class Groups(Generic[T]):
    """Writes items in groups.

    Args:
        write: writes a group, all of it or nothing; returns once it is acknowledged.
        timeout_s: a group that isn't acknowledged by then has failed.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], *, timeout_s: float) -> None:
        self._write = write
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[T, Told]] = deque()
        self._flights: set[asyncio.Task[None]] = set()
        self._is_leaving = False

    async def put(self, item: T) -> None:
        """Return once the item is written.

        Raises:
            FullError: too many wait already.
            NotWrittenError: the store did not acknowledge it in time, or at all.
        """
        told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.add(
            item, lambda failure: None if told.done() else told.set_result(failure)
        )  # whoever waited may have gone
        failure = await told
        if failure is not None:
            raise NotWrittenError from failure

    def add(self, item: T, told: Told) -> None:
        """Have the item written; `told` is called with None once it is, else with the reason why it may not be.

        Raises:
            FullError: too many wait already.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise FullError
        self._waiting.append((item, told))
        if not self._is_leaving and self._may_leave(len(self._flights)):
            self._is_leaving = True  # until it does, all that comes goes with it
            self._flights.add(asyncio.create_task(self._fly()))

    async def close(self) -> None:
        """Wait until all that was put is written or has failed."""
        while self._flights:
            await asyncio.wait(self._flights)

    async def _fly(self) -> None:
        """Write group after group until nothing waits, or until this flight is given up."""
        loop, flight = asyncio.get_running_loop(), cast("asyncio.Task[None]", asyncio.current_task())
        self._is_leaving = False
        while flight in self._flights and self._waiting and self._may_leave(len(self._flights) - 1):
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
            timer = loop.call_later(self._timeout_s, self._give_up, flight, group)
            failure = await self._written([item for item, _ in group])
            timer.cancel()
            if flight in self._flights:
                self._land(group, failure)
        self._flights.discard(flight)  # at once: the next item to come must see that nobody is on the way

    def _may_leave(self, others: int) -> bool:
        """One flight leaves whenever something waits, further ones only with a crowd."""
        return others == 0 or (others < _MOST_FLIGHTS and len(self._waiting) >= _CROWD)

    async def _written(self, items: list[T]) -> Exception | None:
        try:
            await self._write(items)
        except Exception as failure:  # noqa: BLE001 -- each that waits is told
            return failure
        return None

    def _give_up(self, flight: asyncio.Task[None], group: "_Group[T]") -> None:
        """Leave a flight that hangs to itself: it may not heed its cancellation, and another is to take its place."""
        self._flights.discard(flight)
        flight.cancel()
        self._land(group, TimeoutError(f"no acknowledgement within {self._timeout_s:g} s"))

    def _land(self, group: "_Group[T]", failure: Exception | None) -> None:
        if failure is not None:
            group = [*group, *self._waiting]
            self._waiting.clear()
        for _, told in group:
            told(failure)
