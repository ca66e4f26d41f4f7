"""What stands in for Redis where the day is not about it: records, callbacks and clips in memory, by the same rules."""

import heapq
from collections import Counter
from collections.abc import Collection
from datetime import datetime

from tests.bench.governor.virtual import Clock
from worker.enrollment.advance import advance
from worker.enrollment.facts import Fact
from worker.enrollment.record import Record, RecordingId, Sample, SpeakerId
from worker.enrollment.states import SpeakerState, speaker_state
from worker.enrollment.steps import Policy, due_at
from worker.store.batches import Batch
from worker.store.journal import Callback
from worker.store.status import Stored


class Records:
    """The status store: one writer wins, and whoever is unsettled is due some time."""

    def __init__(self, clock: Clock, policy: Policy) -> None:
        self._clock = clock
        self._policy = policy
        self._stored: dict[SpeakerId, Stored] = {}
        self._counts: Counter[SpeakerState] = Counter()
        self._due: dict[SpeakerId, datetime] = {}
        self._by_time: list[tuple[datetime, SpeakerId]] = []

    async def get(self, speaker_id: SpeakerId) -> Stored:
        return self._stored.get(speaker_id) or Stored(Record(speaker_id=speaker_id), 0)

    async def many(self, speaker_ids: Collection[SpeakerId]) -> dict[SpeakerId, Record]:
        return {speaker_id: self._stored[speaker_id].record for speaker_id in speaker_ids if speaker_id in self._stored}

    async def apply(self, speaker_id: SpeakerId, *facts: Fact, seen: Stored | None = None) -> Stored:  # noqa: ARG002 -- as the store has it
        after = await self.apply_to(await self.get(speaker_id), *facts)
        if after is None:
            raise AssertionError("nothing was awaited in between")
        return after

    async def apply_to(self, stored: Stored, *facts: Fact) -> Stored | None:
        record, speaker_id = stored.record, stored.record.speaker_id
        if (await self.get(speaker_id)).version != stored.version:
            return None
        for fact in facts:
            record = advance(record, fact).record
        if record == stored.record:
            return stored
        if stored.version:
            self._counts[speaker_state(stored.record)] -= 1
        self._counts[speaker_state(record)] += 1
        after = self._stored[speaker_id] = Stored(record, stored.version + 1)
        due = due_at(record, now=self._clock.utc(), policy=self._policy)
        self._due.pop(speaker_id, None)
        if due:
            self._look(speaker_id, due)
        return after

    async def due(self, *, now: datetime, limit: int) -> list[SpeakerId]:
        found = list[SpeakerId]()
        while self._by_time and self._by_time[0][0] <= now and len(found) < limit:
            at, speaker_id = heapq.heappop(self._by_time)
            if self._due.get(speaker_id) == at:
                found.append(speaker_id)
        return found

    async def look_again(self, speaker_id: SpeakerId, *, at: datetime) -> None:
        if speaker_id in self._due:
            self._look(speaker_id, at)

    async def counts(self) -> Counter[SpeakerState]:
        return self._counts

    def _look(self, speaker_id: SpeakerId, at: datetime) -> None:
        self._due[speaker_id] = at
        heapq.heappush(self._by_time, (at, speaker_id))


class Callbacks:
    """The journal."""

    def __init__(self) -> None:
        self._known: dict[str, Callback] = {}

    def keep(self, callback: Callback) -> None:
        self._known[callback.callback_id] = callback

    async def get(self, callback_id: str) -> Callback | None:
        return self._known.pop(callback_id, None)

    async def forget_old(self) -> int:
        return 0


class Clips:
    """The object store: every clip is there."""

    async def get(self, key: str) -> bytes:
        return key.encode()


class Voices:
    """The voices, none of which is known: the day has no audio."""

    async def print_of(self, sample: Sample) -> None:
        """No sample has a print."""

    async def learn(self, record: Record, recording_ids: Collection[RecordingId]) -> None:
        """There is nothing to learn."""

    async def forget(self, speaker_id: SpeakerId) -> None:
        """There is nothing to forget."""


class Unnaming:
    """Nobody to take out."""

    async def wanted(self) -> dict[str, frozenset[str]]:
        """None."""
        return {}


class Batches:
    """Nobody's batch."""

    unnaming = Unnaming()

    async def spent(self, record: Record) -> None: ...

    async def handed_in(self, *, before: datetime) -> list[Batch]:  # noqa: ARG002 -- as the store has it
        """None at any time."""
        return []
