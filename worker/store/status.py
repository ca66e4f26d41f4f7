"""The status store: one record per speaker, committed whole or not at all.

`apply` is the only way to change a record: read, `advance`, commit if the version is still the one read, else again.
Record, indexes, due time and events change in one script, so a crash leaves either all of a step or nothing of it.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

from redis.asyncio import Redis

from worker.enrollment.advance import advance
from worker.enrollment.errors import RecordNewerError
from worker.enrollment.events import Event
from worker.enrollment.facts import Fact
from worker.enrollment.record import Record, SpeakerId
from worker.enrollment.states import SpeakerState
from worker.enrollment.steps import Policy, due_at
from worker.store import keys, listing
from worker.store.codec import packed
from worker.store.fields import read_fields
from worker.store.lately import Lately
from worker.store.listing import Listing, Wanted, indexes_of

_COMMIT = resources.files("worker.store").joinpath("commit.lua").read_text()


@dataclass(frozen=True, slots=True)
class Stored:
    """A record and the version under which it was read; version 0: nothing is stored yet.

    `is_newer`: a newer version of Voxroll wrote it, and what is not known here is left out.
    """

    record: Record
    version: int
    is_newer: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some records in the order asked for, and where the next page begins."""

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
        self._listing = Listing(redis, account=account)
        self._commit_script = redis.register_script(_COMMIT)
        self._lately = Lately()

    async def get(self, speaker_id: SpeakerId) -> Stored:
        """The speaker's record; an empty one of version 0 if there is none."""
        version, blob = await read_fields(self._redis, keys.speaker(self._account, speaker_id), "version", "record")
        if version is None or blob is None:
            return Stored(Record(speaker_id=speaker_id), 0)
        kept = self._lately.unpacked(blob)
        return Stored(kept.record, int(version), kept.is_newer)

    async def many(self, speaker_ids: Collection[SpeakerId]) -> dict[SpeakerId, Record]:
        """The records of several speakers in one round trip; who has none is left out."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for speaker_id in speaker_ids:
                pipe.hget(keys.speaker(self._account, speaker_id), "record")
            blobs = await pipe.execute()
        found = zip(speaker_ids, blobs, strict=True)
        return {speaker_id: self._lately.unpacked(blob).record for speaker_id, blob in found if blob}

    async def apply(self, speaker_id: SpeakerId, *facts: Fact, seen: Stored | None = None) -> Stored:
        """Add facts to the record, however many others write at the same time; no news costs no write.

        Args:
            speaker_id: whose record.
            facts: to add.
            seen: the record as it was read lately, if it was: it need not be read again if it is still that.

        Raises:
            RecordNewerError: it is for a newer process to write.
        """
        while True:
            after = await self.apply_to(seen or await self.get(speaker_id), *facts)
            if after is not None:
                return after
            seen = None

    async def apply_to(self, stored: Stored, *facts: Fact) -> Stored | None:
        """Add facts to the record as it was read; None if somebody else has changed it since.

        Raises:
            RecordNewerError: it is for a newer process to write.
        """
        record, events = stored.record, list[Event]()
        for fact in facts:
            decision = advance(record, fact)
            record = decision.record
            events += decision.events
        if record == stored.record:
            return stored
        if stored.is_newer:
            raise RecordNewerError(record.speaker_id)
        version = await self._commit(stored, record, events)
        return Stored(record, version) if version else None

    async def _commit(self, stored: Stored, record: Record, events: list[Event]) -> int:
        now = datetime.now(UTC)
        due = due_at(record, now=now, policy=self._policy)
        account = self._account
        now_in = indexes_of(account, record)
        to_leave = indexes_of(account, stored.record) - now_in
        at = (record.updated_at or now) if events else now
        told = [_event_json(event, at=at) for event in events]
        version = await self._commit_script(
            keys=[
                keys.speaker(account, record.speaker_id),
                keys.due(account),
                keys.events(account),
                *to_leave,
                *now_in,
            ],
            args=[
                stored.version,
                packed(record),
                record.speaker_id,
                _ms(due) if due else "",
                self._events_kept,
                len(to_leave),
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

    async def page(self, wanted: Wanted, *, limit: int, cursor: str | None = None, newest_first: bool = True) -> Page:
        """Records by last change, at a cost of one page. A cursor is what `Page.next` said.

        A record that changes while somebody pages moves to the newest end: paged oldest first, none is missed.
        """
        behind = listing.read(cursor) if cursor else None
        found = await self._listing.entries(wanted, limit=limit + 1, cursor=behind, newest_first=newest_first)
        shown = found[:limit]
        records = await self.many([SpeakerId(member) for _, member in shown])
        return Page(tuple(records.values()), listing.written(shown[-1]) if len(found) > limit else None)

    async def counts(self, *, batch: str | None = None) -> dict[SpeakerState, int]:
        """How many speakers stand where, in all or in one batch."""
        return await self._listing.counts(batch=batch)


def _event_json(event: Event, *, at: datetime) -> str:
    return json.dumps({"type": event.name, "at": at.isoformat(), **event.fields, "speakerId": event.speaker_id})


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
