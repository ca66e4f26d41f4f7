"""The stream of events, to read and to follow.

Events of a speaker are written by the commit that makes them (`commit.lua`); the few that belong to no speaker are
written here. Who reads remembers the id of the last event seen, and goes on behind it.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.contract.events import PREFIX, EventDocument
from worker.enrollment.errors import RequestError
from worker.store import keys

BEGIN, NOW = "0-0", "$"
_NUMBERS = 2
_LONGEST = 41
_LAST = (2**64 - 1, 2**64 - 1)
_BESIDE_MOST = 1000
_BLOCK_S = 1.0  # well under the time that an answer of Redis may take
_PAUSE_S = 0.02  # between two news: in a flood of events nobody is woken for each


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the stream holds: its first and last entry, empty where there is none; whether any was forgotten."""

    first: str
    last: str
    has_forgotten: bool


class EventLog:
    """Events of one account.

    Args:
        redis: client that answers in bytes.
        account: all keys live under it.
        kept: about how many events the stream keeps.
    """

    def __init__(self, redis: Redis, *, account: str, kept: int) -> None:
        self._redis = redis
        self._stream = keys.events(account)
        self._kept = kept

    async def tell(
        self, kind: str, data: dict[str, Any], *, at: datetime, speaker_id: str | None = None, test: bool = False
    ) -> str:
        """Write an event that no commit makes; returns its id."""
        told = written(kind, data, at=at, speaker_id=speaker_id, test=test)
        place: bytes = await self._redis.xadd(self._stream, {"event": told}, maxlen=self._kept)
        return PREFIX + place.decode()

    async def after(self, entry_id: str, *, limit: int) -> list[tuple[str, EventDocument | None]]:
        """At most so many events behind an entry, oldest first, each with its place in the stream.

        None stands for what can't be read: the stream is open to others too.
        """
        if order(entry_id) >= _LAST:
            return []  # nothing can be behind it, and Redis calls the question an error
        found = await self._redis.xrange(self._stream, f"({entry_id}", "+", count=limit)
        return [_read(*one) for one in found]

    async def missed_before(self, entry_id: str) -> str | None:
        """The first event there is, if what came right behind an entry was forgotten; None if nothing was."""
        if order(entry_id) >= _LAST or await self._redis.xrange(self._stream, entry_id, entry_id):
            return None
        bounds = await self.bounds()
        return bounds.first if bounds.has_forgotten and order(entry_id) < order(bounds.first) else None

    async def before(self, entry_id: str | None, *, limit: int) -> list[tuple[str, EventDocument | None]]:
        """At most so many events before an entry, or the newest, newest first; None as in `after`."""
        if entry_id is not None and order(entry_id) == (0, 0):
            return []  # likewise
        found = await self._redis.xrevrange(self._stream, f"({entry_id}" if entry_id else "+", "-", count=limit)
        return [_read(*one) for one in found]

    async def several(self, places: Sequence[str]) -> list[EventDocument | None]:
        """The events at some places; None for each that was forgotten, or can't be read."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for place in places:
                pipe.xrange(self._stream, place, place)
            found = await pipe.execute()
        return [_read(*entries[0])[1] if entries else None for entries in found]

    async def beside(self, place: str) -> list[EventDocument]:
        """The events written in the same millisecond: one commit's have one."""
        ms, _ = order(place)
        found = await self._redis.xrange(self._stream, str(ms), str(ms), count=_BESIDE_MOST)
        return [event for _, event in (_read(*one) for one in found) if event]

    async def newest(self, entry_id: str, *, at_most_s: float) -> str:
        """The place of the newest event once there is one behind an entry; the entry again after so long."""
        if not await self._redis.xread({self._stream: entry_id}, count=1, block=round(at_most_s * 1000)):
            return entry_id
        found = await self._redis.xrevrange(self._stream, count=1)
        return found[0][0].decode() if found else entry_id

    async def bounds(self) -> Bounds:
        """What there is."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.exists(self._stream)
            pipe.xlen(self._stream)
            there, length = await pipe.execute()
        if not there:
            return Bounds(BEGIN, BEGIN, has_forgotten=False)
        told = await self._redis.xinfo_stream(self._stream)
        first, last = told["first-entry"], told["last-generated-id"].decode()
        return Bounds(first[0].decode() if first else last, last, has_forgotten=told["entries-added"] > length)


def written(kind: str, data: dict[str, Any], *, at: datetime, speaker_id: str | None = None, test: bool = False) -> str:
    """An event as the stream keeps it."""
    return json.dumps({"type": kind, "at": at.isoformat(), **data, "speakerId": speaker_id, "test": test})


class Bell:
    """Tells many at once that there are new events, by one connection to Redis."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._next = asyncio.Event()
        self.place = ""  # of the newest event that was rung for; empty until the stream could be read

    def next(self) -> asyncio.Event:
        """What is set at the next news. Take it before reading, wait for it after: nothing is missed in between."""
        return self._next

    async def run(self) -> None:
        """Follow the stream until cancelled."""
        while True:
            try:
                self.place = self.place or (await self._log.bounds()).last
                newest = await self._log.newest(self.place, at_most_s=_BLOCK_S)
            except (RedisError, OSError):
                await asyncio.sleep(_BLOCK_S)
                continue
            if newest != self.place:
                self.place = newest
                self._next.set()
                self._next = asyncio.Event()
                await asyncio.sleep(_PAUSE_S)


async def rung(news: asyncio.Event, *, at_most_s: float) -> None:
    """Return once there are news, or after so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), at_most_s)


def place_of(event_id: str) -> str:
    """Where the event of an id stands in the stream.

    Raises:
        RequestError: `invalid_request`.
    """
    place = event_id.removeprefix(PREFIX)
    parts = place.split("-") if len(place) <= _LONGEST and place.isascii() else []
    if len(parts) == _NUMBERS and all(part.isdecimal() and int(part) < 2**64 for part in parts):
        return place
    raise RequestError(
        "invalid_request", f"{event_id[:50]!r} is no id of an event, like evt_1763712000000-0", status=422
    )


def place_at(at: datetime) -> str:
    """The place right before the first event of a time."""
    return f"{round(at.timestamp() * 1000) - 1}-{2**64 - 1}"


def order(place: str) -> tuple[int, int]:
    """A place as numbers, to compare."""
    ms, _, number = place.partition("-")
    return int(ms), int(number)


def _read(entry_id: bytes, fields: dict[bytes, bytes]) -> tuple[str, EventDocument | None]:
    place = entry_id.decode()
    try:
        told = json.loads(fields[b"event"])
        sequence = fields.get(b"sequence")
        return place, EventDocument(
            id=PREFIX + place,
            type=told.pop("type"),
            time=datetime.fromisoformat(told.pop("at")).astimezone(UTC),
            speaker_id=told.pop("speakerId", None),
            sequence=int(sequence) if sequence else None,
            test=told.pop("test", False),
            data=told,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return place, None
