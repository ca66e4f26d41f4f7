"""The vault: enrollments in Redis, committed whole or not at all.

One enrollment is one hash; `commit.lua` compares its version, sets it and keeps the sorted indexes that the list pages
through. Nothing is scanned: a page costs its own length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from redis.asyncio import Redis

from engine.service import keys
from engine.service.enrollment import Enrollment, Held
from engine.service.store import fields, reaching, script

_DOCUMENT = TypeAdapter(Enrollment)


@dataclass(frozen=True, slots=True)
class Page:
    """Some enrollments in the order in which they were made, and how many there are in all."""

    enrollments: tuple[Enrollment, ...]
    total: int


class Vault:
    """Enrollments of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._account = account
        self._commit = redis.register_script(script("commit.lua"))

    async def get(self, speaker_id: str) -> Held:
        """What is held of a speaker: enrollment, tombstone, or nothing."""
        with reaching():
            found = await fields(
                self._redis, keys.enrollment(self._account, speaker_id), "version", "document", "vectors"
            )
        version, document, vectors = found
        if version is None or document is None:
            return Held()
        return Held(_DOCUMENT.validate_json(document), int(version), vectors or b"")

    async def commit(self, after: Held) -> bool:
        """Keep `after` if the version is still the one it was made from; False if somebody else was faster."""
        made = after.enrollment
        if made is None:
            raise ValueError("nothing to commit")
        alive = after.alive
        with reaching():
            version = await self._commit(
                keys=[
                    keys.enrollment(self._account, made.speaker_id),
                    keys.index(self._account, complete_only=False),
                    keys.index(self._account, complete_only=True),
                ],
                args=[
                    after.version,
                    _DOCUMENT.dump_json(made),
                    after.vectors,
                    made.speaker_id,
                    alive.created_ms if alive else "",
                    alive.created_ms if alive and alive.is_complete else "",
                ],
            )
        return int(version) > 0

    async def many(self, speaker_ids: Sequence[str]) -> dict[str, Held]:
        """What is held of several speakers, in one round trip per enrollment, pipelined."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for speaker_id in speaker_ids:
                    key = keys.enrollment(self._account, speaker_id)
                    pipe.hmget(key, ["version", "document", "vectors"])
                rows = await pipe.execute()
        return {
            speaker_id: Held(_DOCUMENT.validate_json(document), int(version), vectors or b"") if document else Held()
            for speaker_id, (version, document, vectors) in zip(speaker_ids, rows, strict=True)
        }

    async def page(self, number: int, *, per_page: int, complete_only: bool) -> Page:
        """Page `number`, counted from 1; past the end it is empty."""
        index = keys.index(self._account, complete_only=complete_only)
        start = (number - 1) * per_page
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zcard(index)
                pipe.zrange(index, start, start + per_page - 1)
                total, members = await pipe.execute()
            async with self._redis.pipeline(transaction=False) as pipe:
                for member in members:
                    pipe.hget(keys.enrollment(self._account, member.decode()), "document")
                documents = await pipe.execute()
        found = (_DOCUMENT.validate_json(document) for document in documents if document)
        return Page(tuple(one for one in found if not one.is_deleted), int(total))
