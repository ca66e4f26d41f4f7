"""Whose ids are to be taken out of which batches: written down before one is erased, done once the batch has ended."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from redis.asyncio import Redis

from worker.enrollment.record import SpeakerId
from worker.store import keys


class Unnaming:
    """What is left to do, of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._key = keys.unnaming(account)

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
