"""A client whose commands travel together: what many tasks ask in one moment goes to Redis in one pipeline.

A command alone costs a connection out of the pool, its checks, a write and a read; in company a tenth of that. The
first command leaves with all that come in the same turn of the loop; those that come while it is under way leave with
the next flight. Each is answered, or fails, for itself; where the connection fails, all of a flight do, after the same
retries as alone. Commands that wait in Redis go alone, as others would wait for them.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from arq.connections import ArqRedis
from redis.exceptions import ConnectionError  # noqa: A004 -- what an outage is told by

_MOST = 256  # commands in one flight: bounds what Redis answers at one time


class _Waiting(NamedTuple):
    args: tuple[Any, ...]
    options: dict[str, Any]
    told: "asyncio.Future[Any]"


class TogetherRedis(ArqRedis):
    """arq's client, for a process that has many jobs in hand."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[_Waiting] = []
        self._flying: list[_Waiting] = []
        self._flight: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command with others; raises what it raises alone."""
        if b"BLOCK" in args:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(args, options, told))
        if self._flight is None:
            self._begin()
        return await told

    def _begin(self) -> None:
        self._flight = asyncio.create_task(self._fly())
        self._flight.add_done_callback(self._end)

    async def _fly(self) -> None:
        while self._waiting:
            self._flying, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            await self._send(self._flying)

    def _end(self, flight: "asyncio.Task[None]") -> None:
        """Nobody waits for a flight that is over, or was cancelled before it began."""
        self._flight = None
        lost, self._flying = self._flying, []
        if flight.cancelled():
            lost, self._waiting = lost + self._waiting, []
            for one in lost:
                if not one.told.done():
                    one.told.set_exception(ConnectionError("the flight of this command was cancelled"))
        elif self._waiting:
            self._begin()

    async def _send(self, some: Sequence[_Waiting]) -> None:
        try:
            async with self.pipeline(transaction=False) as pipe:
                for one in some:
                    pipe.execute_command(*one.args, **one.options)
                answers = await pipe.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 -- each that waits is told
            answers = [error] * len(some)
        for one, answer in zip(some, answers, strict=True):
            if one.told.done():
                continue  # whoever waited is gone
            if isinstance(answer, Exception):
                one.told.set_exception(answer)
            else:
                one.told.set_result(answer)
