"""The gallery in Redis: one voice per speaker who has an applied sample, as bytes, and in which order they changed.

What the bytes mean is not known here. A reader remembers the number of the last change it has seen, and is told what
changed since; so keeping up costs what changed, not what there is.
"""

from dataclasses import dataclass
from importlib import resources

from redis.asyncio import Redis

from worker.enrollment.record import SpeakerId
from worker.store import keys
from worker.store.fields import read_fields

_CHANGE = resources.files("worker.store").joinpath("voices.lua").read_text()
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
        self._change = redis.register_script(_CHANGE)

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
