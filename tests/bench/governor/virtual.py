"""An event loop whose time is made up: a day of waiting takes as long as its work does.

The clock stands still while anything is on its way to or from Redis; when nothing is, and nothing is ready, it jumps
to the next timer. HTTP goes over a unix socket inside the process, where what was sent is there at once. Everything
that runs on the loop (the client, its timeouts, the jobs) runs as in production; only `loop.time()` differs.
"""

import asyncio
import contextlib
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool, UnixDomainSocketConnection

START = datetime(2026, 11, 23, tzinfo=UTC)
_REDIS_S = 0.0005  # one round trip to Redis, in made-up time
_PATIENCE_S = 5.0  # of real time for an answer of Redis
_Result = TypeVar("_Result")


class Clock:
    """The made-up time, and what must come in before it may go on."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.under_way = 0

    def seconds(self) -> float:
        """Since the beginning."""
        return self.now_s

    def utc(self) -> datetime:
        """As a date."""
        return START + timedelta(seconds=self.now_s)

    def ms(self) -> int:
        """Since 1970."""
        return round(self.utc().timestamp() * 1000)


class _Selector(selectors.DefaultSelector):
    """Looks for what has come in; else lets time pass."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self._clock.under_way or timeout is None:
            return super().select(_PATIENCE_S)
        self._clock.now_s += max(timeout, 0.0)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        super().__init__(_Selector(clock))
        self._made_up = clock

    def time(self) -> float:
        return self._made_up.now_s


def run(main: Callable[[], Awaitable[_Result]], *, clock: Clock) -> _Result:
    """Run a coroutine in made-up time."""

    async def awaited() -> _Result:
        return await main()

    with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
        return runner.run(awaited())


def redis_client(path: str, *, clock: Clock) -> Redis:
    """A client whose waiting holds the clock."""

    class Connection(UnixDomainSocketConnection):
        async def read_response(self, *args: Any, **kwargs: Any) -> Any:
            with _holding(clock):
                answer = await super().read_response(*args, **kwargs)
            await asyncio.sleep(_REDIS_S)
            return answer

    return Redis(connection_pool=ConnectionPool(Connection, path=path, max_connections=1000))


@contextlib.contextmanager
def _holding(clock: Clock) -> Any:
    clock.under_way += 1
    try:
        yield
    finally:
        clock.under_way -= 1
