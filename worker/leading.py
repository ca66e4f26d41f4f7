"""Work that one process does at a time: lead as much as nobody else leads, and stop in good order.

Each thing (an endpoint, a batch) is led by one process, by a lease of seconds; when that process dies another takes
over where it stopped.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
from redis.exceptions import RedisError

from config.process import end
from worker.enrollment.errors import VoxrollError

LOOK_S = 1.0  # how often things without a leader are looked for
_LEASE_S = 10.0
_RENEW_S = 3.0
_REST_S = (5.0, 300.0)  # what failed is left alone for so long, then for longer each time

_log = structlog.get_logger()


class Led(Protocol):
    """What is done with one of them."""

    async def run(self) -> None:
        """Work until there is nothing left to do; is cancelled at any time."""

    async def close(self) -> None:
        """Put away what it works with; is not cancelled."""


class Leases(Protocol):
    """Who leads what."""

    async def lead(self, name: str, token: str, *, for_s: float) -> bool:
        """Lead it, or go on, for so long; False if somebody else does."""

    async def let_go(self, name: str, token: str) -> None:
        """Let somebody else lead it, at once."""


class Leading:
    """Everything of one kind that this process leads.

    Args:
        leases: who leads what.
        names: of all that want a leader.
        begin: makes what is to be done with one.
    """

    def __init__(
        self, leases: Leases, *, names: Callable[[], Awaitable[Sequence[str]]], begin: Callable[[str], Led]
    ) -> None:
        self._leases = leases
        self._names = names
        self._begin = begin
        self._token = uuid.uuid4().hex
        self._led: dict[str, asyncio.Task[None]] = {}
        self._rests: dict[str, tuple[float, float]] = {}  # of what failed: until when, and how long that is

    async def run(self, stop: asyncio.Event) -> None:
        """Lead until `stop`; what is wrong with one of them is told, and ends neither the others nor this."""
        try:
            while not stop.is_set():
                try:
                    await self._look(stop)
                except (RedisError, OSError):
                    pass
                except Exception:  # noqa: BLE001 -- the last line of defence: all that this process leads depends on it
                    _log.exception("lead.lost")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_S)
        finally:
            stop.set()
            await asyncio.gather(*self._led.values())

    async def _look(self, stop: asyncio.Event) -> None:
        """Lead each that nobody leads."""
        now_s = asyncio.get_running_loop().time()
        names = await self._names()
        self._rests = {name: rest for name, rest in self._rests.items() if name in names}
        for name in names:
            is_resting = self._rests.get(name, (0.0, 0.0))[0] > now_s
            if name not in self._led and not is_resting and await self._leases.lead(name, self._token, for_s=_LEASE_S):
                self._led[name] = asyncio.create_task(self._lead(name, stop))

    async def _lead(self, name: str, stop: asyncio.Event) -> None:
        """Work until `stop`, until there is nothing left to do, or until somebody else leads it."""
        led = self._begin(name)
        tasks = [asyncio.create_task(one) for one in (self._keep(name), led.run(), stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            _, ended, _ = await end(*tasks)
            self._rest(name, ended)
            await led.close()
            with contextlib.suppress(RedisError, OSError):
                await self._leases.let_go(name, self._token)
        except Exception:  # noqa: BLE001 -- likewise
            _log.exception("lead.failed", leading=name)
        finally:
            del self._led[name]

    def _rest(self, name: str, ended: object) -> None:
        """Leave it alone for a while if it failed."""
        if not isinstance(ended, Exception):
            self._rests.pop(name, None)
            return
        _, before_s = self._rests.get(name, (0.0, 0.0))
        rest_s = min(2 * before_s or _REST_S[0], _REST_S[1])
        self._rests[name] = (asyncio.get_running_loop().time() + rest_s, rest_s)
        reason = ended.message if isinstance(ended, VoxrollError) else repr(ended)[:200]
        _log.error("lead.failed", leading=name, reason=reason, again_s=rest_s)

    async def _keep(self, name: str) -> None:
        """Stay the leader; ends once that can't be said any more."""
        loop = asyncio.get_running_loop()
        kept_s = loop.time()
        while loop.time() - kept_s < _LEASE_S - _RENEW_S:
            await asyncio.sleep(_RENEW_S)
            with contextlib.suppress(RedisError, OSError):
                if not await self._leases.lead(name, self._token, for_s=_LEASE_S):
                    return
                kept_s = loop.time()
