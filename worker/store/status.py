"""The status store: one record per speaker, committed whole or not at all.

`apply` is the only way to change a record: read, `advance`, commit if the version is still the one read, else again.
Record, indexes, due time and events change in one script, so a crash leaves either all of a step or nothing of it.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import resources

from pydantic import TypeAdapter
from redis.asyncio import Redis

from worker.enrollment.advance import advance
from worker.enrollment.events import Event
from worker.enrollment.facts import Fact
from worker.enrollment.record import Record, SpeakerId
from worker.enrollment.states import SpeakerState, speaker_state
from worker.enrollment.steps import Policy, due_at
from worker.store import keys
from worker.store.fields import read_fields

_RECORD = TypeAdapter(Record)
_COMMIT = resources.files("worker.store").joinpath("commit.lua").read_text()


@dataclass(frozen=True, slots=True)
class Stored:
    """A record and the version under which it was read; version 0: nothing is stored yet."""

    record: Record
    version: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, newest change first, and where the next page begins."""

    records: tuple[Record, ...]
    next: str | None


class StatusStore:
    """Records in Redis, keyed by `speakerId`.

    Args:
        redis: client that answers in bytes.
        account: all keys live under it.
        policy: tells when a record is due for the sweep.
        events_kept: about how many events the stream keeps.
    """

    def __init__(self, redis: Redis, *, account: str, policy: Policy, events_kept: int) -> None:
        self._redis = redis
        self._account = account
        self._policy = policy
        self._events_kept = events_kept
        self._commit_script = redis.register_script(_COMMIT)

    async def get(self, speaker_id: SpeakerId) -> Stored:
        """The speaker's record; an empty one of version 0 if there is none."""
        version, blob = await read_fields(self._redis, keys.speaker(self._account, speaker_id), "version", "record")
        if version is None or blob is None:
            return Stored(Record(speaker_id=speaker_id), 0)
        return Stored(_RECORD.validate_json(blob), int(version))

    async def apply(self, speaker_id: SpeakerId, *facts: Fact) -> Stored:
        """Add facts to the record, however many others write at the same time; no news costs no write."""
        while True:
            stored = await self.get(speaker_id)
            after = await self.apply_to(stored, *facts)
            if after is not None:
                return after

    async def apply_to(self, stored: Stored, *facts: Fact) -> Stored | None:
        """Add facts to the record as it was read; None if somebody else has changed it since."""
        record, events = stored.record, list[Event]()
        for fact in facts:
            decision = advance(record, fact)
            record = decision.record
            events += decision.events
        if record == stored.record:
            return stored
        version = await self._commit(stored, record, events)
        return Stored(record, version) if version else None

    async def _commit(self, stored: Stored, record: Record, events: list[Event]) -> int:
        now = datetime.now(UTC)
        due = due_at(record, now=now, policy=self._policy)
        before, after = speaker_state(stored.record), speaker_state(record)
        account = self._account
        told = [_event_json(event, at=record.updated_at or now) for event in events]
        version = await self._commit_script(
            keys=[
                keys.speaker(account, record.speaker_id),
                keys.speakers(account),
                keys.speakers(account, before),
                keys.speakers(account, after),
                keys.due(account),
                keys.events(account),
            ],
            args=[
                stored.version,
                _RECORD.dump_json(record, exclude_defaults=True),
                record.speaker_id,
                _ms(now),
                _ms(due) if due else "",
                self._events_kept,
                *told,
            ],
        )
        return int(version)

    async def due(self, *, now: datetime, limit: int) -> list[SpeakerId]:
        """Speakers whose time to be looked at has come, the longest overdue first."""
        found = await self._redis.zrangebyscore(keys.due(self._account), "-inf", _ms(now), start=0, num=limit)
        return [SpeakerId(member.decode()) for member in found]

    async def look_again(self, speaker_id: SpeakerId, *, at: datetime) -> None:
        """Move an unsettled speaker's time to be looked at; a speaker that has settled meanwhile stays settled."""
        await self._redis.zadd(keys.due(self._account), {speaker_id: _ms(at)}, xx=True)

    async def page(self, *, state: SpeakerState | None, limit: int, cursor: str | None) -> Page:
        """Records by last change, newest first, at a cost of one page. A cursor is what `Page.next` said."""
        index = keys.speakers(self._account, state)
        start = 0
        if cursor is not None:
            rank = await self._redis.zrevrank(index, cursor)
            start = 0 if rank is None else int(rank) + 1
        members = await self._redis.zrevrange(index, start, start + limit)
        async with self._redis.pipeline(transaction=False) as pipe:
            for member in members[:limit]:
                pipe.hget(keys.speaker(self._account, SpeakerId(member.decode())), "record")
            blobs = await pipe.execute()
        records = tuple(_RECORD.validate_json(blob) for blob in blobs if blob)
        more = len(members) > limit
        return Page(records, members[limit - 1].decode() if more else None)

    async def counts(self) -> dict[SpeakerState, int]:
        """How many speakers stand where."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for state in SpeakerState:
                pipe.zcard(keys.speakers(self._account, state))
            return dict(zip(SpeakerState, await pipe.execute(), strict=True))


def _event_json(event: Event, *, at: datetime) -> str:
    return json.dumps(
        {"type": event.name, "at": at.isoformat(), **asdict(event)["fields"], "speakerId": event.speaker_id}
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
