"""Who works off jobs at this moment: every process that has loaded the models says so once a second.

So a process that only takes requests knows whether anybody can hear them, and how many may wait.
"""

import asyncio
import os
import socket
import uuid
from contextlib import suppress
from typing import NamedTuple

from redis.asyncio import Redis

from engine.service import keys
from engine.service.failure import NotReadyError, StoreAwayError
from engine.service.store import reaching, script

_BEAT_S = 1.0
_SILENT_MS = 5000  # a process of which nothing was heard for so long doesn't count
_WAITING_MOST = 24  # per thread; at 0.4 s a sample the last of them waits 10 s


class Look(NamedTuple):
    """The hosts of the processes that work, their threads in all, and the requests that wait or are being worked on."""

    hosts: tuple[str, ...]
    threads: int
    waiting: int


class Crew:
    """The processes that work for one account.

    Args:
        redis: client that answers in bytes.
        account: whose jobs.
        threads: samples that this process works on at one time.
    """

    def __init__(self, redis: Redis, *, account: str, threads: int) -> None:
        self._redis = redis
        self._keys = [keys.crew(account), keys.awaited(account)]
        self._me = f"{threads}:{socket.gethostname()}:{os.getpid()}:{uuid.uuid4()}"
        self._beat = redis.register_script(script("beat.lua"))
        self._look = redis.register_script(script("crew.lua"))

    async def work(self) -> None:
        """Say that this process works until cancelled."""
        try:
            while True:
                with suppress(StoreAwayError), reaching():
                    await self._beat(keys=self._keys[:1], args=[self._me, _SILENT_MS])
                await asyncio.sleep(_BEAT_S)
        finally:
            with suppress(StoreAwayError), reaching():
                await self._redis.zrem(self._keys[0], self._me)

    async def look(self) -> Look:
        """Who works now."""
        with reaching():
            waiting, *found = await self._look(keys=self._keys)
        members = [one.decode().split(":") for one in found]
        return Look(tuple(host for _, host, *_ in members), sum(int(threads) for threads, *_ in members), int(waiting))

    async def refuse_too_much(self) -> None:
        """Return if a request that is waited for will be heard soon.

        Raises:
            NotReadyError: nobody works, or too many wait.
        """
        look = await self.look()
        if not look.threads:
            raise NotReadyError("nobody can hear yet: the models are being loaded, or no process works")
        if look.waiting >= (most := look.threads * _WAITING_MOST):
            raise NotReadyError(f"{look.waiting} samples are waiting already, {most} at most")
