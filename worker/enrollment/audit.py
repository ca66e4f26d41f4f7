"""The audit of one speaker: what was applied by the record, held against what the API has heard and callbacks told.

Pure: the caller reads record, API and journal. Every finding names its evidence in plain values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.enrollment.record import Attempt, AttemptOutcome, Enrollment, Record, Sample
from worker.enrollment.renewal import is_removing
from worker.enrollment.settle import SLACK_S
from worker.enrollment.states import SampleState, is_settled, sample_state
from worker.enrollment.steps import Policy, due_at

_SPEECH_SLACK_S = 0.05  # the API and we write seconds with two or three decimals
_STUCK = timedelta(minutes=10)  # a sweep comes every few seconds

Evidence = dict[str, str | float | bool | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One exception to the promise, with its evidence."""

    code: str
    speaker_id: str
    detail: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one journaled callback says: which attempt it answers, and whether its sample was applied."""

    callback_id: str
    attempt_id: str
    recording_id: str
    applied: bool


def check_sums(record: Record, seen: Enrollment | None) -> Iterator[Finding]:
    """Hold the record against the API. Where an attempt or a deletion is open, nothing can be said."""
    if is_removing(record) or any(sample_state(sample) is SampleState.SUBMITTING for sample in record.samples):
        return
    if record.erased_at:
        if seen and is_settled(record):
            evidence: Evidence = {"erasedAt": record.erased_at.isoformat(), "heardS": round(seen.audio_s, 3)}
            yield Finding("erased_but_enrolled", record.speaker_id, "erased, and the API has an enrollment", evidence)
        return
    applied = [sample for sample in record.samples if sample_state(sample) is SampleState.APPLIED]
    expected = _heard_before(applied) + sum(_seconds(sample) for sample in applied)
    heard = seen.audio_s if seen else 0.0
    surplus = heard - expected
    evidence = {"expectedS": round(expected, 3), "heardS": round(heard, 3), "samplesApplied": len(applied)}
    if abs(surplus) > SLACK_S * max(1, len(applied)):
        yield _unequal(record, applied, surplus=surplus, evidence=evidence)
    elif seen and record.enrollment and not _agree(record.enrollment, seen):
        known = record.enrollment
        evidence |= {"recordSpeechS": known.speech_s, "apiSpeechS": seen.speech_s, "apiQuality": seen.quality}
        yield Finding("record_behind", record.speaker_id, "the API says more than the record knows", evidence)


def check_progress(record: Record, *, now: datetime, policy: Policy) -> Iterator[Finding]:
    """Nothing waits for ever: an unsettled record has changed since its last attempt could have been given up."""
    due = due_at(record, now=now, policy=policy)
    if due is not None and record.updated_at and now - record.updated_at > policy.give_up + _STUCK:
        evidence: Evidence = {"lastChange": record.updated_at.isoformat()}
        yield Finding(
            "stuck", record.speaker_id, "unsettled, and nothing has happened for longer than allowed", evidence
        )


def check_told(record: Record, told: Told) -> Iterator[Finding]:
    """Hold the record against a callback that was accepted, reconciled or not."""
    sample = next((one for one in record.samples if one.recording_id == told.recording_id), None)
    attempts = (*sample.former, *sample.attempts) if sample else ()
    attempt = next((one for one in attempts if one.attempt_id == told.attempt_id), None)
    evidence: Evidence = {"callback": told.callback_id, "attempt": told.attempt_id, "applied": told.applied}
    if attempt is None:
        yield Finding("attempt_unknown", record.speaker_id, "a callback answers an attempt that is not known", evidence)
    elif attempt.answer is None:
        yield Finding("callback_lost", record.speaker_id, "a callback was accepted and not reconciled", evidence)
    elif told.applied and attempt.answer.outcome is not AttemptOutcome.APPLIED:
        yield Finding(
            "callback_contradicts", record.speaker_id, "a callback says applied, the record does not", evidence
        )


def unknown_enrollment(speaker_id: str, seen: Enrollment) -> Finding:
    """The API has an enrollment of a speaker of whom there is no record."""
    evidence: Evidence = {"heardS": round(seen.audio_s, 3)}
    return Finding("unknown_enrollment", speaker_id, "the API has an enrollment, and there is no record", evidence)


def _unequal(record: Record, applied: Sequence[Sample], *, surplus: float, evidence: Evidence) -> Finding:
    if surplus < 0:
        return Finding("missing_at_api", record.speaker_id, "the API has heard less than was applied", evidence)
    again = next((one for one in applied if abs(surplus - _seconds(one)) <= SLACK_S), None)
    if again:
        evidence |= {"recordingId": again.recording_id}
        return Finding("applied_twice", record.speaker_id, "the API has heard one sample's length too much", evidence)
    return Finding("heard_more", record.speaker_id, "the API has heard more than was applied", evidence)


def _heard_before(applied: Sequence[Sample]) -> float:
    """What the API had heard before our first sample that it applied."""
    ours = [one for sample in applied for one in sample.attempts if _outcome(one) is AttemptOutcome.APPLIED]
    began = [one for one in ours if one.started_at]
    return min(began, key=lambda one: (one.started_at, one.attempt_id)).before_s if began else 0.0


def _outcome(attempt: Attempt) -> AttemptOutcome | None:
    return attempt.answer.outcome if attempt.answer else None


def _seconds(sample: Sample) -> float:
    return sample.clip.measures.duration_s if sample.clip else 0.0


def _agree(known: Enrollment, seen: Enrollment) -> bool:
    near = abs(known.speech_s - seen.speech_s) <= _SPEECH_SLACK_S
    return near and (known.complete, known.quality) == (seen.complete, seen.quality)
