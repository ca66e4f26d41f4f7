"""Listings: speakers by state, quality, batch and age, at the cost of a page however many speakers there are.

A record stands in one index per batch and in one for all, each for its state and its quality, ordered by last change.
A page reads so much of each index that can hold it and merges them.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import product

from redis.asyncio import Redis

from worker.enrollment.errors import RequestError
from worker.enrollment.record import Quality, Record, SpeakerId
from worker.enrollment.states import SpeakerState, speaker_state
from worker.store import keys

_TIES = 16  # speakers that changed in one microsecond; commits are serial, so only a clock set back makes any
_DIGITS = 16  # of a time in µs, until the year 2286

_UNGRADED = frozenset({SpeakerState.FAILED, SpeakerState.WITHDRAWN, SpeakerState.ERASED})  # without an enrollment
_KINDS: list[tuple[SpeakerState, Quality | None]] = [
    (state, quality)
    for state, quality in product(SpeakerState, (None, *Quality))
    if not quality or state not in _UNGRADED
]

Entry = tuple[int, str]  # last change in µs, speaker id


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which speakers: all that fit each condition that is not None. Times are of the last change."""

    state: SpeakerState | None = None
    quality: Quality | None = None
    batch: str | None = None
    after: datetime | None = None
    before: datetime | None = None


def indexes_of(account: str, record: Record) -> frozenset[str]:
    """The indexes that a record stands in."""
    state, quality = speaker_state(record), record.enrollment.quality if record.enrollment else None
    batches = [None, *(one.batch for one in record.batches)]
    return frozenset(keys.speakers(account, state, quality, batch=batch) for batch in batches)


def indexes(account: str, *, batch: str) -> list[str]:
    """All indexes that the speakers of a batch may stand in."""
    return [keys.speakers(account, state, quality, batch=batch) for state, quality in _KINDS]


class Listing:
    """The indexes of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._account = account

    async def entries(self, wanted: Wanted, *, limit: int, cursor: Entry | None, newest_first: bool) -> list[Entry]:
        """At most `limit` entries behind the cursor, in order."""
        low = _us(wanted.after) if wanted.after else "-inf"
        high = _us(wanted.before) if wanted.before else "+inf"
        if cursor:
            low, high = (low, cursor[0]) if newest_first else (cursor[0], high)
        async with self._redis.pipeline(transaction=False) as pipe:
            for state, quality in _KINDS:
                if wanted.state in {None, state} and wanted.quality in {None, quality}:
                    index = keys.speakers(self._account, state, quality, batch=wanted.batch)
                    pipe.zrange(
                        index,
                        *((high, low) if newest_first else (low, high)),  # type: ignore[arg-type]  # typed for ranks
                        desc=newest_first,
                        byscore=True,
                        withscores=True,
                        offset=0,
                        num=limit + _TIES,
                    )
            read: list[list[tuple[bytes, float]]] = await pipe.execute()
        found = sorted(((round(at), member.decode()) for rows in read for member, at in rows), reverse=newest_first)
        if cursor:
            found = [one for one in found if (one < cursor if newest_first else one > cursor)]
        return found[:limit]

    async def counts(self, *, batch: str | None = None) -> dict[SpeakerState, int]:
        """How many speakers stand where, in all or in one batch, all at one moment: each is in one state."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for state, quality in _KINDS:
                pipe.zcard(keys.speakers(self._account, state, quality, batch=batch))
            sizes = await pipe.execute()
        found = dict.fromkeys(SpeakerState, 0)
        for (state, _), size in zip(_KINDS, sizes, strict=True):
            found[state] += size
        return found


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def written(entry: Entry) -> str:
    """An entry as a cursor."""
    return f"{entry[0]}-{entry[1]}"


def read(cursor: str) -> Entry:
    """The entry that a cursor names.

    Raises:
        RequestError: `invalid_request`.
    """
    at, dash, member = cursor.partition("-")
    if not (dash and at.isascii() and at.isdecimal() and len(at) <= _DIGITS):
        raise RequestError("invalid_request", "cursor: take it from the page before as it is", status=422)
    return int(at), SpeakerId(member)
