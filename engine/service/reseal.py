"""A change of the voice key: look at start whether ours is the right one, and seal all data keys anew on demand.

Only data keys are sealed anew, 65 bytes a speaker; prints stay as they are. The walk may be cut short and begun again
at any time, beside engines that work: it passes over what is done, and a data key that changed under it is left to
whoever changed it, who seals under the current key.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from config.settings import SettingsError
from engine.service import keys
from engine.service.failure import ApiError
from engine.service.seal import Seal
from engine.service.store import reaching, script

_AT_ONCE = 500
_TOLD_MOST = 20  # failures by name; the rest is counted

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the walk is, in enrollments.

    Attributes:
        resealed: sealed under another key until now.
        current: sealed under the current key already.
        failed: can't be opened.
        total: how many there were at the beginning.
    """

    resealed: int = 0
    current: int = 0
    failed: int = 0
    total: int = 0


class Resealer:
    """Walks through the enrollments of one account.

    Args:
        redis: client that answers in bytes.
        seal: with the current key, and the former ones.
        account: whose enrollments.
    """

    def __init__(self, redis: Redis, seal: Seal, *, account: str) -> None:
        self._redis = redis
        self._seal = seal
        self._account = account
        self._index = keys.index(account, complete_only=False)
        self._swap = redis.register_script(script("reseal.lua"))

    async def refuse_wrong_key(self) -> None:
        """Return if the oldest and the newest enrollment can be opened: a wrong key would seal new ones by itself.

        Raises:
            SettingsError: they can't.
            StoreAwayError: Redis is away.
        """
        with reaching():
            ends = await self._redis.zrange(self._index, 0, 0) + await self._redis.zrange(self._index, -1, -1)
        for speaker_id, version, key in await self._read([member.decode() for member in ends]):
            try:
                self._seal.renewed(key, speaker_id=speaker_id, version=version)
            except ApiError as error:
                message = f"VOXROLL_ENGINE_VOICE_KEY: this key ({self._seal.name}) can't be the right one: {error}"
                raise SettingsError(message) from error

    async def run(self) -> AsyncGenerator[Progress]:
        """Seal every data key under the current key; tells how far it is after each step, and in the end.

        Raises:
            StoreAwayError: Redis went away; begin again.
        """
        resealed = current = failed = cursor = 0
        with reaching():
            total = await self._redis.zcard(self._index)
        while True:
            with reaching():
                cursor, found = await self._redis.zscan(self._index, cursor, count=_AT_ONCE)
            for speaker_id, version, key in await self._read([member.decode() for member, _ in found]):
                try:
                    renewed = self._seal.renewed(key, speaker_id=speaker_id, version=version)
                except ApiError as error:
                    failed += 1
                    if failed <= _TOLD_MOST:
                        _log.error("reseal.failed", speaker_id=speaker_id, error=str(error))
                    continue
                if renewed is None:
                    current += 1
                else:
                    resealed += await self._replace(speaker_id, key, renewed)
            yield Progress(resealed, current, failed, total)
            if not cursor:
                return

    async def _read(self, speaker_ids: Sequence[str]) -> list[tuple[str, int, bytes]]:
        """Id, version and sealed data key of those that (still) hold prints."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for speaker_id in speaker_ids:
                    pipe.hmget(keys.enrollment(self._account, speaker_id), ["version", "key"])
                    pipe.hexists(keys.enrollment(self._account, speaker_id), "vectors")
                rows = await pipe.execute()
        held = zip(speaker_ids, rows[::2], rows[1::2], strict=True)
        return [(name, int(version), key or b"") for name, (version, key), has_prints in held if has_prints]

    async def _replace(self, speaker_id: str, key: bytes, renewed: bytes) -> int:
        with reaching():
            return int(await self._swap(keys=[keys.enrollment(self._account, speaker_id)], args=[key, renewed]))
