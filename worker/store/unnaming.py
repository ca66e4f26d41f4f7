"""Whose ids are to be taken out of which batches: written down before one is erased, done once the batch has ended.

A record knows the batches that took something of a speaker. Those that took nothing are looked through, all that are
kept, one after the other, for all who were erased by the time that the pass began.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from redis.asyncio import Redis

from worker.enrollment.record import SpeakerId
from worker.store import keys

_LATELY, _SOUGHT, _UNSEEN = "lately", "sought", "unseen"


class Pass(NamedTuple):
    """How far the look through all batches is.

    Attributes:
        lately: who waits for the next pass.
        sought: who is looked for in this one.
        unseen: the batches that are left.
    """

    lately: frozenset[str]
    sought: frozenset[str]
    unseen: frozenset[str]


class Unnaming:
    """What is left to do, of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._key = keys.unnaming(account)
        self._seeking = keys.seeking(account)
        self._batches = keys.batches(account)

    async def want(self, speaker_id: SpeakerId, batch_ids: Collection[str]) -> None:
        """Have a speaker's id taken out of batches."""
        if batch_ids:
            await self._redis.sadd(self._key, *(f"{one}/{speaker_id}" for one in batch_ids))  # type: ignore[misc]  # typed for both clients

    async def wanted(self) -> dict[str, frozenset[str]]:
        """Ids to be taken out, by batch."""
        found: dict[str, set[str]] = defaultdict(set)
        for member in await self._redis.smembers(self._key):  # type: ignore[misc]  # typed for both clients
            batch_id, _, speaker_id = member.decode().partition("/")
            found[batch_id].add(speaker_id)
        return {batch_id: frozenset(names) for batch_id, names in sorted(found.items())}

    async def done(self, batch_id: str, names: Iterable[str]) -> None:
        """They are out of that batch."""
        await self._redis.srem(self._key, *(f"{batch_id}/{one}" for one in names))  # type: ignore[misc]  # typed for both clients

    async def want_everywhere(self, speaker_id: SpeakerId) -> None:
        """Have a speaker's id looked for in all batches that are kept by now."""
        await self._redis.sadd(self._seeking, f"{_LATELY}/{speaker_id}")  # type: ignore[misc]  # typed for both clients

    async def seeking(self) -> Pass:
        """What is left to look for."""
        found: dict[str, set[str]] = defaultdict(set)
        for member in await self._redis.smembers(self._seeking):  # type: ignore[misc]  # typed for both clients
            what, _, name = member.decode().partition("/")
            found[what].add(name)
        return Pass(*(frozenset(found[what]) for what in (_LATELY, _SOUGHT, _UNSEEN)))

    async def begin(self, names: Collection[str]) -> None:
        """Begin a pass for these."""
        batches = [name.decode() for name in await self._redis.zrange(self._batches, 0, -1)]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.srem(self._seeking, *(f"{_LATELY}/{one}" for one in names))
            pipe.sadd(self._seeking, *(f"{_SOUGHT}/{one}" for one in names), *(f"{_UNSEEN}/{one}" for one in batches))
            await pipe.execute()

    async def seen(self, batch_id: str) -> None:
        """That batch was looked through."""
        await self._redis.srem(self._seeking, f"{_UNSEEN}/{batch_id}")  # type: ignore[misc]  # typed for both clients

    async def end(self, names: Collection[str]) -> None:
        """They were looked for everywhere."""
        await self._redis.srem(self._seeking, *(f"{_SOUGHT}/{one}" for one in names))  # type: ignore[misc]  # typed for both clients
