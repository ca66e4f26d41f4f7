"""Refused callbacks are written down too, off the hot path: whoever sends them costs a bounded time and memory.

At most so many wait, the newest; they are written a group at a time with a pause between two, and each group is one
log line. An event tells of each kind, at most one in ten seconds: strangers must not push out what matters. What can't
be written is lost: nothing was promised to its sender.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from worker.store.events import EventLog
from worker.store.journal import Journal, Refused

_MOST_WAITING = 256
_PAUSE_S = 0.5
_LAST_S = 2.0
_TELL_S = 10.0

_log = structlog.get_logger()


class Refusals:
    """Takes refused callbacks down to the journal."""

    def __init__(self, journal: Journal, events: EventLog, *, now: Callable[[], datetime]) -> None:
        self._journal, self._events, self._now = journal, events, now
        self._untold: Counter[str] = Counter()
        self._told_s: dict[str, float] = {}
        self._waiting: deque[Refused] = deque(maxlen=_MOST_WAITING)
        self._is_closing = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def add(self, refused: Refused) -> None:
        """Have it written soon."""
        self._waiting.append(refused)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Write what waits, without a pause; with Redis away it is not waited for."""
        self._is_closing.set()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_LAST_S)

    async def _write(self) -> None:
        while self._waiting:
            some = list(self._waiting)
            self._waiting.clear()
            codes = Counter(one.verdict for one in some)
            self._untold += codes
            _log.warning("callbacks.refused", codes=dict(codes))
            try:
                await self._journal.refuse(some)
                await self._tell()
            except (RedisError, OSError) as error:
                _log.warning("callbacks.refusals_lost", number=len(some), reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_closing.wait(), _PAUSE_S)

    async def _tell(self) -> None:
        """Tell of the kinds that were not told of lately, or of all that is left when the front door closes."""
        now_s = asyncio.get_running_loop().time()
        for verdict, count in list(self._untold.items()):
            if now_s - self._told_s.get(verdict, -_TELL_S) >= _TELL_S or self._is_closing.is_set():
                await self._events.tell("callback.refused", {"verdict": verdict, "count": count}, at=self._now())
                self._told_s[verdict] = now_s
                del self._untold[verdict]
