"""Shortlists: which speakers a recording was found to be like, for the short time in which somebody asks for it."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from redis.asyncio import Redis

from worker.enrollment.record import SpeakerId
from worker.sources import HandedIn
from worker.store import keys

_WAITS_S = 3600  # so long one is waited for that nobody has made yet
_KEPT_S = 600  # whoever is enrolled meanwhile is not on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortlist:
    """Who was found.

    Attributes:
        speaker_ids: the likeliest first; None until they were looked for.
        voices: how many people were heard.
        code: why nobody could be looked for.
        message: the same in words.
    """

    speaker_ids: tuple[SpeakerId, ...] | None = None
    voices: int = 0
    code: str | None = None
    message: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be made."""
        return self.speaker_ids is None and self.code is None


class Shortlists:
    """The shortlists of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._account = account

    async def begin(self, shortlist_id: str) -> Shortlist:
        """The one that is there, else an open one; one that failed is begun anew."""
        key, fresh = keys.shortlist(self._account, shortlist_id), Shortlist()
        if await self._redis.set(key, _packed(fresh), nx=True, ex=_WAITS_S):
            return fresh
        found = await self.get(shortlist_id) or fresh
        if found.code:
            await self._redis.set(key, _packed(fresh), ex=_WAITS_S)
            return fresh
        return found

    async def get(self, shortlist_id: str) -> Shortlist | None:
        """One of them."""
        told = await self._redis.get(keys.shortlist(self._account, shortlist_id))
        if told is None:
            return None
        found = Shortlist(**json.loads(told))
        return replace(found, speaker_ids=None if found.speaker_ids is None else tuple(found.speaker_ids))

    async def put(self, shortlist_id: str, found: Shortlist) -> None:
        """Write down what came of one."""
        await self._redis.set(keys.shortlist(self._account, shortlist_id), _packed(found), ex=_KEPT_S)


def id_of(recording: HandedIn) -> str:
    """The id of a recording's shortlist; it tells nothing of the recording."""
    return "sl_" + hashlib.sha256(recording.identity.encode()).hexdigest()[:20]


def _packed(found: Shortlist) -> str:
    return json.dumps(asdict(found))
