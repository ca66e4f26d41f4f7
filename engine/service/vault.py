"""The vault: enrollments in Redis, committed whole or not at all, their voiceprints sealed.

One enrollment is one hash; `commit.lua` compares its version, sets it and keeps the sorted indexes that the list pages
through. Nothing is scanned: a page costs its own length. What needs no voice reads none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from redis.asyncio import Redis

from engine.sealing import Sealed
from engine.service import keys
from engine.service.enrollment import Enrollment, Held
from engine.service.seal import Seal
from engine.service.store import fields, reaching, script

_DOCUMENT = TypeAdapter(Enrollment)


@dataclass(frozen=True, slots=True)
class Page:
    """Some enrollments in the order in which they were made, and how many there are in all."""

    enrollments: tuple[Enrollment, ...]
    total: int


class Vault:
    """Enrollments of one account.

    Args:
        redis: client that answers in bytes.
        seal: what voiceprints are sealed with.
        account: all keys live under it.
    """

    def __init__(self, redis: Redis, seal: Seal, *, account: str) -> None:
        self._redis = redis
        self._seal = seal
        self._account = account
        self._commit = redis.register_script(script("commit.lua"))

    async def look(self, speaker_id: str) -> Held:
        """What is held of a speaker, without the voiceprints: enrollment, tombstone, or nothing."""
        with reaching():
            key = keys.enrollment(self._account, speaker_id)
            return self._held(speaker_id, await fields(self._redis, key, "version", "document"))

    async def get(self, speaker_id: str) -> Held:
        """What is held of a speaker, with the voiceprints.

        Raises:
            ApiError: they can't be opened.
        """
        return (await self.many([speaker_id]))[speaker_id]

    async def commit(self, after: Held, *, erases: bool = False) -> bool:
        """Keep `after` if the version is still the one it was made from; False if somebody else was faster.

        `erases`: a voice is taken away, and Redis's own files are to forget it too (`forgetting`).
        """
        made = after.enrollment
        if made is None:
            raise ValueError("nothing to commit")
        alive = after.alive
        sealed = Sealed(b"", b"")
        if alive is not None:
            sealed = self._seal.seal(after.vectors, speaker_id=made.speaker_id, version=after.version + 1)
        with reaching():
            version = await self._commit(
                keys=[
                    keys.enrollment(self._account, made.speaker_id),
                    keys.index(self._account, complete_only=False),
                    keys.index(self._account, complete_only=True),
                    keys.erased(self._account),
                ],
                args=[
                    after.version,
                    _DOCUMENT.dump_json(made),
                    sealed.content,
                    sealed.key,
                    made.speaker_id,
                    alive.created_ms if alive else "",
                    alive.created_ms if alive and alive.is_complete else "",
                    "erases" if erases else "",
                ],
            )
        return int(version) > 0

    async def many(self, speaker_ids: Sequence[str]) -> dict[str, Held]:
        """What is held of several speakers, with the voiceprints, in one round trip.

        Raises:
            ApiError: voiceprints can't be opened.
        """
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for speaker_id in speaker_ids:
                    key = keys.enrollment(self._account, speaker_id)
                    pipe.hmget(key, ["version", "document", "key", "vectors"])
                rows = await pipe.execute()
        return {speaker_id: self._held(speaker_id, row) for speaker_id, row in zip(speaker_ids, rows, strict=True)}

    def _held(self, speaker_id: str, row: Sequence[bytes | None]) -> Held:
        """Made of version and document, and of data key and vectors where they were read."""
        version, document, key, vectors = (*row, None, None)[:4]
        if version is None or document is None:
            return Held()
        sealed = Sealed(key or b"", vectors or b"")
        prints = self._seal.open(sealed, speaker_id=speaker_id, version=int(version)) if vectors else b""
        return Held(_DOCUMENT.validate_json(document), int(version), prints)

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
