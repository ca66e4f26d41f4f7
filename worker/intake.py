"""Intake: what somebody hands in becomes facts on the speaker's record, then jobs. Store first, queue second.

A crash between the two is found by the sweep. The same recording handed in twice is one recording; one that failed for
a reason that may have passed gets another go.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.points import point
from worker.contract.ids import is_speaker_id
from worker.enrollment.errors import RequestError
from worker.enrollment.events import reason
from worker.enrollment.facts import (
    BatchJoined,
    Fact,
    GoalSet,
    RecordingPlanned,
    ReplacementOrdered,
    SampleDeclined,
    SampleReleased,
    SpeakerErased,
)
from worker.enrollment.record import Goal, Membership, Record, RecordingId, Sample, SpeakerId
from worker.enrollment.renewal import handings, live
from worker.enrollment.states import SampleState, is_goal_met, sample_state
from worker.enrollment.steps import Policy, Prepare, Submit, Unenroll, next_steps
from worker.queue import jobs
from worker.queue.jobs import Queue
from worker.sources import HandedIn
from worker.store.status import StatusStore

_BATCH = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_MOST_RECORDINGS = 20  # of one speaker; keeps a record small, and five samples are the API's own advice
_MOST_KEPT = 3 * _MOST_RECORDINGS
MAY_PASS = frozenset({"not_found", "unreadable_source", "forbidden_source", "too_large", "internal_error"})
_MAY_PASS = {  # what was set aside without an answer may have counted, what ends the worker would end it again
    SampleState.REJECTED: MAY_PASS,
    SampleState.PARKED: frozenset({"attempts_exhausted", "clip_lost", "internal_error"}),
    SampleState.REFUSED: frozenset(
        {"api_refused", "enrollment_deleted"}
    ),  # the API never takes the others (CONTRACT 6)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one request hands in: recordings of one speaker, when that will do, and the batch it is part of.

    `replaces`: what the batch hands in takes the place of all that was handed in before it.
    """

    speaker_id: SpeakerId
    recordings: Sequence[HandedIn]
    goal: Goal | None = None
    batch: str | None = None
    replaces: bool = False


class SpeakerErasedError(RequestError):
    """The speaker was erased or has opted out: nothing is taken in."""

    def __init__(self, speaker_id: SpeakerId) -> None:
        super().__init__(
            "speaker_erased", f"{speaker_id} was erased or has opted out, and is never enrolled again", status=410
        )


def speaker_id_of(text: str) -> SpeakerId:
    """Check a speaker id.

    Raises:
        RequestError: `speaker_id_invalid`.
    """
    if not is_speaker_id(text):
        shown = text[:40]
        raise RequestError(
            "speaker_id_invalid", f"{shown!r}: 1 to 128 letters, digits and underscores are allowed", status=422
        )
    return SpeakerId(text)


def batch_of(text: str) -> str:
    """Check a batch's name.

    Raises:
        RequestError: `invalid_request`.
    """
    if not _BATCH.fullmatch(text):
        message = f"batch {text[:40]!r}: 1 to 64 letters, digits, dots, dashes and underscores are allowed"
        raise RequestError("invalid_request", message, status=422)
    return text


class Intake:
    """Takes recordings in. One per process."""

    def __init__(self, store: StatusStore, queue: Queue, *, policy: Policy) -> None:
        self._store = store
        self._queue = queue
        self._policy = policy

    async def take_in(self, order: Order, *, now: datetime) -> Record:
        """Write recordings down on the speaker's record and queue their preparation.

        Raises:
            RequestError: `too_many_recordings`.
            SpeakerErasedError: `speaker_erased`.
        """
        while True:
            stored = await self._store.get(order.speaker_id)
            if stored.record.erased_at:
                raise SpeakerErasedError(order.speaker_id)
            facts = _facts(stored.record, order, now=now)
            after = await self._store.apply_to(stored, *facts)
            if after is not None:
                break
        point("intake.stored")
        steps = next_steps(after.record, now=now, policy=self._policy)
        account = self._queue.account
        await self._queue.put(
            jobs.prepare(account, after.record, step.recording_id) for step in steps if isinstance(step, Prepare)
        )
        return after.record

    async def retry(self, speaker_id: SpeakerId, *, now: datetime) -> Record:
        """Take in once more what failed for a reason that may have passed.

        Raises:
            RequestError: `nothing_to_retry`; as `take_in`.
        """
        record = (await self._store.get(speaker_id)).record
        failed = {HandedIn.of(one).identity: one for one in record.samples if deserves_another_go(one)}
        for other in record.samples:
            if not deserves_another_go(other):
                failed.pop(HandedIn.of(other).identity, None)  # its next go is under way, or did better
        if not failed or is_goal_met(record):
            message = f"{speaker_id} has no recording that failed for a reason that may have passed; hand in others"
            raise RequestError("nothing_to_retry", message, status=409)
        again = [HandedIn.of(one) for one in failed.values()]
        return await self.take_in(Order(speaker_id=speaker_id, recordings=again), now=now)

    async def erase(self, speaker_id: SpeakerId, *, now: datetime) -> Record:
        """Forget a speaker, known or not, for good: nothing more is taken in, what the API holds is deleted."""
        stored = await self._store.apply(speaker_id, SpeakerErased(at=now))
        point("intake.erased")
        if Unenroll() in next_steps(stored.record, now=now, policy=self._policy):
            await self._queue.put([jobs.unenroll(self._queue.account, stored.record)])
        return stored.record

    async def decide(self, speaker_id: SpeakerId, recording_id: RecordingId, *, accept: bool, now: datetime) -> Record:
        """Write down what a person decided of a held sample; the same decision twice is no news.

        Raises:
            RequestError: `recording_unknown`, `not_held`.
        """
        while True:
            stored = await self._store.get(speaker_id)
            after = await self._store.apply_to(stored, *_decision(stored.record, recording_id, accept=accept, now=now))
            if after is not None:
                break
        steps = next_steps(after.record, now=now, policy=self._policy)
        account = self._queue.account
        await self._queue.put(
            jobs.submit(account, after.record, at=step.at) for step in steps if isinstance(step, Submit)
        )
        return after.record


def _decision(record: Record, recording_id: RecordingId, *, accept: bool, now: datetime) -> list[Fact]:
    """The fact that a decision makes, none if it was made before; it may be changed until the sample is handed in."""
    sample = record.sample(recording_id)
    if sample not in record.samples:
        message = f"{record.speaker_id} has no recording {recording_id[:40]!r}; `voxroll why` names those that are held"
        raise RequestError("recording_unknown", message, status=404)
    if sample.held and (sample.is_released if accept else sample.is_declined):
        return []
    state = sample_state(sample)
    if sample.held is None or state not in {SampleState.HELD, SampleState.READY, SampleState.REJECTED}:
        message = f"{sample.name} is {state} and not held; only held samples wait for a decision"
        raise RequestError("not_held", message, status=409)
    if accept:
        return [SampleReleased(at=now, recording_id=recording_id)]
    why = f"a person rejected it, held for: {sample.held.message}"
    return [SampleDeclined(at=now, recording_id=recording_id, code=sample.held.code, message=why)]


def _facts(record: Record, order: Order, *, now: datetime) -> list[Fact]:
    """What an order makes known.

    Raises:
        RequestError: `too_many_recordings`.
    """
    facts: list[Fact] = [GoalSet(at=now, goal=order.goal)] if order.goal else []
    facts += [BatchJoined(at=now, batch=order.batch)] if order.batch else []
    if order.replaces and order.batch and _has_others(record, order.batch):
        now = max(now, _last_handed(record) + timedelta(microseconds=1))
        facts.append(ReplacementOrdered(at=now, batch=order.batch))
    planned = [
        _planned(record, one, batch=order.batch or "", now=now + timedelta(microseconds=n))
        for n, one in enumerate(order.recordings)
    ]
    _check_count(record, planned, replaces=any(isinstance(fact, ReplacementOrdered) for fact in facts))
    return [*facts, *planned]


def _has_others(record: Record, batch: str) -> bool:
    """Whether there is something that the batch has still to take the place of."""
    if any(one.batch == batch for one in record.replacements):
        return False
    return any(handed.batch != batch for sample in record.samples for handed in live(record, sample))


def _last_handed(record: Record) -> datetime:
    return max(handed.at for sample in record.samples for handed in handings(record, sample))


def _planned(record: Record, one: HandedIn, *, batch: str, now: datetime) -> RecordingPlanned:
    recording_id = _free_id(record, hashlib.sha256(one.identity.encode()).hexdigest()[:16])
    known = record.sample(recording_id)
    counts = any(handed.batch == batch for handed in live(record, known)) if known.planned_at else not batch
    return RecordingPlanned(
        at=known.planned_at or now,
        recording_id=recording_id,
        source=one.source,
        name=one.name,
        channel=one.channel,
        handed=None if counts else Membership(now, batch, one.ref),
        stretch=one.stretch,
        language=one.language,
    )


def _check_count(record: Record, planned: Sequence[RecordingPlanned], *, replaces: bool) -> None:
    """A speaker has so many that count, and a few times as many that did."""
    known = {one.recording_id for one in record.samples}
    counting = {one.recording_id for one in record.samples if not one.withdrawn and not replaces}
    wanted = {one.recording_id for one in planned}
    counts, total = len(counting | wanted), len(known | wanted)
    if wanted - known and (counts > _MOST_RECORDINGS or total > _MOST_KEPT):
        message = (
            f"{len(counting)} recordings known and {len(wanted - counting)} new, {_MOST_RECORDINGS} of one speaker "
        )
        message += f"allowed, and {_MOST_KEPT} with those that were replaced or rolled back"
        raise RequestError("too_many_recordings", message, status=409)


def _free_id(record: Record, content: str) -> RecordingId:
    """The recording's id; a new one if the recording is known and failed for a reason that may have passed."""
    go = 1
    while True:
        recording_id = RecordingId(content if go == 1 else f"{content}-{go}")
        if not deserves_another_go(record.sample(recording_id)):
            return recording_id
        go += 1


def may_pass(sample: Sample) -> bool:
    """Whether the same recording, handed in again by a program, can succeed."""
    return getattr(reason(sample), "code", None) in _MAY_PASS.get(sample_state(sample), frozenset())


def deserves_another_go(sample: Sample) -> bool:
    """Whether it failed for a reason that may have passed, as far as a person can judge who hands it in again."""
    if sample.withdrawn:
        return False
    match sample_state(sample):
        case SampleState.PARKED | SampleState.REFUSED:
            return True
        case SampleState.REJECTED:
            return getattr(sample.prepared, "code", None) in MAY_PASS
        case _:
            return False
