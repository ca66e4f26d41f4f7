"""A bell that all processes of an account hear: rung when something waits in a queue, and when an awaited job ends.

It only saves time. What is rung while the connection is away is lost, so whoever listens also looks by himself now and
then; and when the connection is back, everybody is woken once.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.service import keys

_READ_S = 1.0
_AGAIN_S = 0.2

_log = structlog.get_logger()


class Bell:
    """Wakes who listens for a word: the name of a queue, or the id of a job.

    Args:
        redis: client that answers in bytes.
        account: whose bell.
    """

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._channel = keys.bell(account)
        self._listeners: dict[str, set[asyncio.Event]] = defaultdict(set)

    @contextlib.contextmanager
    def listening(self, word: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the word is rung, for as long as the block lasts."""
        rung = asyncio.Event()
        self._listeners[word].add(rung)
        try:
            yield rung
        finally:
            self._listeners[word].discard(rung)
            if not self._listeners[word]:
                del self._listeners[word]

    async def run(self) -> None:
        """Listen until cancelled, whatever becomes of Redis."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                _log.warning("bell.lost", reason=type(error).__name__, again_s=_AGAIN_S)
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(self._channel)
            while True:
                message = await subscription.get_message(timeout=_READ_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._wake(*self._listeners)  # the connection is new: something may have been missed
                elif message["type"] == "message":
                    self._wake(message["data"].decode())

    def _wake(self, *words: str) -> None:
        for word in words:
            for rung in self._listeners.get(word, ()):
                rung.set()
