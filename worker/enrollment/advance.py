"""`advance(record, fact)`: total and monotone, so every order and repetition of the same facts ends in the same record.

Each field of the record merges by a rule that doesn't care for order: the earliest wins (what we did ourselves), the
greatest wins (what the API has heard), or the weightiest outcome wins. A repeated or overtaken fact leaves the record
as it was and is no news; nothing here raises.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from worker.enrollment import facts
from worker.enrollment.events import Event, events_between
from worker.enrollment.facts import Fact, SampleFact
from worker.enrollment.record import (
    Answer,
    Attempt,
    AttemptId,
    AttemptOutcome,
    Clip,
    Conflict,
    Enrollment,
    Membership,
    Record,
    Rejection,
    Replacement,
    Sample,
)
from worker.enrollment.renewal import era_of, told_apart

_LATE = datetime.max.replace(tzinfo=UTC)  # sorts what has no time yet behind what has
_Told = TypeVar("_Told", bound=Clip | Rejection)
_EVER = datetime.min.replace(tzinfo=UTC)
_BATCHES = 8  # of one speaker, the latest: keeps a record small
_WEIGHT = {AttemptOutcome.NOT_APPLIED: 0, AttemptOutcome.REFUSED: 1, AttemptOutcome.APPLIED: 2}


@dataclass(frozen=True, slots=True)
class Decision:
    """The record after a fact, and what to tell others. Equal records and no events: the fact was no news."""

    record: Record
    events: tuple[Event, ...]


def advance(record: Record, fact: Fact) -> Decision:
    """Add one fact to the record."""
    after = told_apart(_merged(record, fact))
    if after.erased_at:
        after = _forgotten(after)
    if after == record:
        return Decision(record, ())
    return Decision(after, events_between(record, after))


def _merged(record: Record, fact: Fact) -> Record:  # noqa: PLR0911, C901 -- one line per kind
    match fact:
        case facts.GoalSet():
            newer = (fact.at, fact.goal.quality.rank, fact.goal.samples) > _goal_key(record)
            return replace(record, goal=fact.goal, goal_at=fact.at) if newer else record
        case facts.BatchJoined():
            return replace(record, batches=_latest(record.batches, Membership(fact.at, fact.batch)))
        case facts.BatchUndone():
            return replace(record, undone=_latest(record.undone, Membership(fact.at, fact.batch)))
        case facts.ReplacementOrdered() | facts.ReplacementBegun():
            begun = isinstance(fact, facts.ReplacementBegun)
            return replace(record, replacements=_replacements(record, Replacement(fact.at, fact.batch, begun)))
        case facts.RemovalStarted():
            return replace(record, era=max(record.era or fact.at, fact.at))
        case facts.Removed():
            return replace(record, removed=max(record.removed or fact.at, fact.at))
        case facts.EnrollmentSeen():
            return _with_enrollment(record, fact.enrollment, era=fact.era)
        case facts.SpeakerErased():
            return replace(record, erased_at=min(record.erased_at or fact.at, fact.at))
        case facts.Unenrolled():
            return replace(record, unenrolled_at=max(record.unenrolled_at or fact.at, fact.at))
        case facts.Answered(enrollment=seen) if seen:
            return _with_sample(_with_enrollment(record, seen, era=era_of(fact.attempt_id)), fact)
        case _:
            return _with_sample(record, fact)


def _forgotten(record: Record) -> Record:
    """What may be kept of a speaker who was erased: the attempts, until none can be applied any more."""
    kept = [
        Sample(
            recording_id=sample.recording_id, attempts=_in_order(*sample.former, *sample.attempts), parked=sample.parked
        )
        for sample in record.samples
        if sample.former or sample.attempts or sample.parked
    ]
    return Record(
        speaker_id=record.speaker_id,
        samples=tuple(sorted(kept, key=lambda sample: sample.recording_id)),
        erased_at=record.erased_at,
        unenrolled_at=record.unenrolled_at,
    )


def _goal_key(record: Record) -> tuple[datetime, int, int]:
    at = record.goal_at or datetime.min.replace(tzinfo=UTC)
    return (at, record.goal.quality.rank, record.goal.samples)


def _latest(known: tuple[Membership, ...], new: Membership) -> tuple[Membership, ...]:
    """The batches joined last, each once, at its latest time; what falls out could never come back by an older fact."""
    last = {one.batch: one for one in sorted([*known, new])}
    return tuple(sorted(last.values())[-_BATCHES:])


def _replacements(record: Record, new: Replacement) -> tuple[Replacement, ...]:
    """Those ordered last, each batch's last; the same one is begun if any fact says so."""
    last: dict[str, Replacement] = {one.batch: one for one in sorted([*record.replacements, new])}
    return tuple(sorted(last.values())[-_BATCHES:])


def _with_sample(record: Record, fact: SampleFact) -> Record:
    sample = _merged_sample(record.sample(fact.recording_id), fact)
    others = (known for known in record.samples if known.recording_id != sample.recording_id)
    ordered = sorted([*others, sample], key=lambda known: (known.planned_at or _LATE, known.recording_id))
    return replace(record, samples=tuple(ordered))


def _merged_sample(sample: Sample, fact: SampleFact) -> Sample:
    match fact:
        case facts.RecordingPlanned():
            return _planned(sample, fact)
        case facts.SampleReady(at=at, recipe=recipe, measures=measures, object_key=object_key):
            clip = Clip(at=at, recipe=recipe, measures=measures, object_key=object_key)
            return replace(sample, prepared=_earliest(sample.prepared, clip))
        case facts.SampleRejected(at=at, code=code, message=message, value=value, limit=limit):
            rejection = Rejection(at=at, code=code, message=message, value=value, limit=limit)
            return replace(sample, prepared=_earliest(sample.prepared, rejection))
        case facts.SampleParked(at=at, code=code, message=message):
            return replace(sample, parked=_earliest(sample.parked, Rejection(at=at, code=code, message=message)))
        case facts.SubmissionStarted() | facts.SubmissionAccepted() | facts.Answered():
            return _with_attempt(sample, fact)
        case _:
            return _judged_sample(sample, fact)


def _planned(sample: Sample, fact: facts.RecordingPlanned) -> Sample:
    """The earliest wins; a language that was told at any time stays told, of several always the same one.

    Who handed it in is kept beside it.
    """
    language = max(sample.language, fact.language, key=lambda one: one or "")
    handed = _latest(sample.handed, fact.handed) if fact.handed else sample.handed
    spoken = replace(sample, language=language, handed=handed)
    known = (sample.planned_at or _LATE, sample.source, sample.name, str(sample.channel), str(sample.stretch))
    if (fact.at, fact.source, fact.name, str(fact.channel), str(fact.stretch)) >= known:
        return spoken
    return replace(
        spoken, source=fact.source, name=fact.name, channel=fact.channel, stretch=fact.stretch, planned_at=fact.at
    )


def _judged_sample(
    sample: Sample,
    fact: facts.SampleHeld | facts.SampleReleased | facts.SampleDeclined | facts.ConflictSuspected,
) -> Sample:
    match fact:
        case facts.SampleHeld(at=at, code=code, message=message, value=value, limit=limit):
            reason = Rejection(at=at, code=code, message=message, value=value, limit=limit)
            return replace(sample, held=_earliest(sample.held, reason))
        case facts.SampleReleased(at=at):
            return replace(sample, released_at=max(sample.released_at or at, at))
        case facts.SampleDeclined(at=at, code=code, message=message, value=value, limit=limit):
            reason = Rejection(at=at, code=code, message=message, value=value, limit=limit)
            return replace(sample, declined=_latest_of(sample.declined, reason))
        case facts.ConflictSuspected(at=at, other=other, score=score, threshold=threshold):
            conflict = Conflict(at=at, speaker_id=other, score=score, threshold=threshold)
            earliest = min((sample.conflict or conflict, conflict), key=lambda one: (one.at, repr(one)))
            return replace(sample, conflict=earliest)
        case _:
            assert_never(fact)


def _with_attempt(sample: Sample, fact: facts.SubmissionStarted | facts.SubmissionAccepted | facts.Answered) -> Sample:
    """The attempts with the fact, those of earlier eras among them: `told_apart` sorts them out."""
    known = (*sample.former, *sample.attempts) if sample.former else sample.attempts
    attempt = _merged_attempt(_attempt(known, fact.attempt_id), fact)
    others = (one for one in known if one.attempt_id != attempt.attempt_id)
    return replace(sample, former=(), attempts=_in_order(*others, attempt))


def _in_order(*attempts: Attempt) -> tuple[Attempt, ...]:
    return tuple(sorted(attempts, key=lambda known: (known.started_at or _LATE, known.attempt_id)))


def _merged_attempt(
    attempt: Attempt, fact: facts.SubmissionStarted | facts.SubmissionAccepted | facts.Answered
) -> Attempt:
    match fact:
        case facts.SubmissionStarted(at=at, verb=verb, before_s=before_s):
            if (at, verb, before_s) >= (attempt.started_at or _LATE, attempt.verb or "", attempt.before_s):
                return attempt
            return replace(attempt, started_at=at, verb=verb, before_s=before_s)
        case facts.SubmissionAccepted(at=at, job_id=job_id):
            if (at, job_id) >= (attempt.accepted_at or _LATE, attempt.job_id or ""):
                return attempt
            return replace(attempt, accepted_at=at, job_id=job_id)
        case facts.Answered(at=at, outcome=outcome, via=via, code=code, message=message):
            answer = Answer(at=at, outcome=outcome, via=via, code=code, message=message)
            return replace(attempt, answer=_weightiest(attempt.answer, answer))
        case _:
            assert_never(fact)


def _attempt(attempts: Iterable[Attempt], attempt_id: AttemptId) -> Attempt:
    return next((known for known in attempts if known.attempt_id == attempt_id), Attempt(attempt_id=attempt_id))


def _weightiest(known: Answer | None, new: Answer) -> Answer:
    """The weightier outcome; among equals the earlier, so that a callback told twice stays one."""
    if known is None:
        return new
    return min(known, new, key=lambda one: (-_WEIGHT[one.outcome], one.at, one.via, str(one.code), str(one.message)))


def _earliest(known: _Told | None, new: _Told) -> _Told:
    """The earlier; of two at one time always the same one."""
    return new if known is None else min(known, new, key=lambda one: (one.at, repr(one)))


def _latest_of(known: Rejection | None, new: Rejection) -> Rejection:
    """The later: a person may change their mind."""
    return new if known is None else max(known, new, key=lambda one: (one.at, repr(one)))


def _with_enrollment(record: Record, seen: Enrollment, *, era: datetime | None) -> Record:
    """With the one of the later era, of one era that has heard more: the API only ever adds, so more audio is later."""
    known = record.enrollment
    if known and (record.enrollment_era or _EVER, *_heard(known)) >= (era or _EVER, *_heard(seen)):
        return record
    return replace(record, enrollment=seen, enrollment_era=era)


def _heard(seen: Enrollment) -> tuple[float, float, bool, int]:
    return (seen.audio_s, seen.speech_s, seen.complete, seen.quality.rank if seen.quality else -1)
