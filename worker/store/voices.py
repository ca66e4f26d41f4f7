"""The gallery in Redis: one voice per speaker who has an applied sample, as bytes, and in which order they changed.

What the bytes mean is not known here. A reader remembers the number of the last change it has seen, and is told what
changed since; so keeping up costs what changed, not what there is.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources

from redis.asyncio import Redis

from worker.enrollment.record import SpeakerId
from worker.store import keys
from worker.store.fields import read_fields

_CHANGE, _SWAP = (resources.files("worker.store").joinpath(f"{name}.lua").read_text() for name in ("voices", "swap"))
_PAGE = 1000  # of 0.8 KB each


@dataclass(frozen=True, slots=True)
class Changes:
    """Voices that changed, None for each that was taken out; the number of the last one, and of the last there is.

    `last` under `until` is a store that went back, as after a restore: what was read before is to be forgotten.
    """

    voices: dict[SpeakerId, bytes | None]
    until: int
    last: int


class VoiceStore:
    """The voices of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._voices, self._changes = keys.voices(account), keys.voice_changes(account)
        self._change, self._swap = map(redis.register_script, (_CHANGE, _SWAP))

    async def put(self, speaker_id: SpeakerId, voice: bytes) -> None:
        """Set a speaker's voice."""
        await self._change(keys=[self._voices, self._changes], args=[speaker_id, voice])

    async def forget(self, speaker_id: SpeakerId) -> None:
        """Take a speaker's voice out, if it is there."""
        await self._change(keys=[self._voices, self._changes], args=[speaker_id, b""])

    async def since(self, number: int) -> Changes:
        """The next changes after that number, some at a time: none are left once there are no voices among them."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrevrange(self._changes, 0, 0, withscores=True)
            pipe.zrangebyscore(self._changes, f"({number}", "+inf", start=0, num=_PAGE, withscores=True)
            newest, found = await pipe.execute()
        last = int(newest[0][1]) if newest else 0
        if not found:
            return Changes({}, number, last)
        names = [member.decode() for member, _ in found]
        blobs = await read_fields(self._redis, self._voices, *names)
        return Changes(dict(zip(map(SpeakerId, names), blobs, strict=True)), int(found[-1][1]), last)

    async def ends(self) -> dict[SpeakerId, bytes]:
        """The voices that changed first and last of those that are there; none of none."""
        first = await self._redis.zrange(self._changes, 0, 0)
        last = await self._redis.zrevrange(self._changes, 0, 0)
        names = [SpeakerId(member.decode()) for member in (*first, *last)]
        blobs = await read_fields(self._redis, self._voices, *names) if names else []
        return {name: blob for name, blob in zip(names, blobs, strict=True) if blob}

    async def all(self) -> AsyncIterator[tuple[SpeakerId, bytes]]:
        """Every voice, some of them twice where many change meanwhile."""
        async for name, blob in self._redis.hscan_iter(self._voices, count=_PAGE):
            yield SpeakerId(name.decode()), blob

    async def replace(self, speaker_id: SpeakerId, voice: bytes, by: bytes) -> bool:
        """Set a voice that means the same as the one that is there; False if that is another one by now."""
        return bool(await self._swap(keys=[self._voices], args=[speaker_id, voice, by]))
