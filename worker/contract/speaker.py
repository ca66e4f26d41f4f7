"""The speaker document: a record as the HTTP API shows it, wire names and all."""

import math
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from worker.enrollment.events import reason
from worker.enrollment.record import WHOLE, Attempt, Record, Sample
from worker.enrollment.states import SampleState, SpeakerState, is_goal_met, is_settled, sample_state, speaker_state
from worker.enrollment.steps import LookUp, Park, Policy, Prepare, Renew, Step, Submit, Unenroll, next_steps

_NOTHING = {
    SpeakerState.ERASED: "nothing: erased, and never enrolled again",
    SpeakerState.WITHDRAWN: "nothing: all that was handed in was rolled back; hand in recordings to enroll again",
}


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True)


class RecipeDocument(_Wire):
    """Which stretch of which recording."""

    source: str
    channel: int | None
    start_s: float
    end_s: float
    source_sha256: str
    sample_sha256: str
    policy: str


class MeasuresDocument(_Wire):
    """What preflight measured."""

    duration_s: float
    speech_s: float
    longest_pause_s: float
    snr_db: float
    clip_ratio: float
    level_dbfs: float
    narrow_band: bool
    consistency: float | None
    bandwidth_hz: int | None
    music_s: float | None
    tone_s: float | None
    voices_p10: float | None
    voices_parted: float | None
    overlap: float | None
    score: float | None


class AttemptDocument(_Wire):
    """One attempt to hand the sample in."""

    attempt_id: str
    verb: str | None
    started_at: datetime | None
    job_id: str | None
    accepted_at: datetime | None
    answered_at: datetime | None
    outcome: str | None
    code: str | None
    message: str | None
    via: str | None


class ConflictDocument(_Wire):
    """Another speaker who sounds like the sample."""

    speaker_id: str
    score: float
    threshold: float


class StretchDocument(_Wire):
    """The part of a recording that was named; without an end it reaches to the recording's."""

    start_s: float
    end_s: float | None


class SampleDocument(_Wire):
    """One recording and what became of it. A ready sample that nobody needs any more shows as `spare`.

    `value` and `limit`: what was measured and what was needed, in the unit that `message` tells, where it was numbers.
    `attempts` has those of enrollments that were deleted since as well, first.
    """

    recording_id: str
    source: str
    channel: int | None
    stretch: StretchDocument | None
    language: str | None
    state: str
    outcome: str
    code: str | None
    message: str | None
    value: float | None
    limit: float | None
    planned_at: datetime | None
    prepared_at: datetime | None
    recipe: RecipeDocument | None
    measures: MeasuresDocument | None
    conflict: ConflictDocument | None
    attempts: tuple[AttemptDocument, ...]


class GoalDocument(_Wire):
    """When the speaker needs no further sample."""

    quality: str
    samples: int


class SpeakerDocument(_Wire):
    """All there is to know of one speaker."""

    speaker_id: str
    state: str
    settled: bool
    enrollment_complete: bool
    enrollment_quality: str | None
    total_speech_duration: float
    total_enroll_duration: float
    goal: GoalDocument
    batches: tuple[str, ...]
    created_at: datetime | None
    updated_at: datetime | None
    samples: tuple[SampleDocument, ...]
    next: str

    def to_wire(self) -> dict[str, Any]:
        """As JSON types with wire names."""
        return self.model_dump(mode="json", by_alias=True)


def from_record(record: Record, *, now: datetime, policy: Policy) -> SpeakerDocument:
    """Show a record."""
    known = record.enrollment
    return SpeakerDocument(
        speaker_id=record.speaker_id,
        state=speaker_state(record),
        settled=is_settled(record),
        enrollment_complete=bool(known and known.complete),
        enrollment_quality=known.quality if known else None,
        total_speech_duration=round(known.speech_s, 2) if known else 0.0,
        total_enroll_duration=round(known.audio_s, 2) if known else 0.0,
        goal=GoalDocument.model_validate(record.goal),
        batches=tuple(one.batch for one in record.batches),
        created_at=record.created_at,
        updated_at=record.updated_at,
        samples=tuple(_sample(record, sample) for sample in record.samples),
        next=_in_words(record, next_steps(record, now=now, policy=policy), now=now),
    )


def speech_missing(record: Record) -> str | None:
    """How much speech an enrollment has that is not complete, in words, rounded down: 11.97 s are not 12."""
    known = record.enrollment
    if known is None or known.complete:
        return None
    return f"{math.floor(round(known.speech_s * 10, 3)) / 10:.1f} of 12 s of speech so far"


def _sample(record: Record, sample: Sample) -> SampleDocument:
    state = sample_state(sample)
    idle = state in {SampleState.READY, SampleState.PLANNED}
    shown = "spare" if idle and is_goal_met(record) else str(state)
    return SampleDocument(
        recording_id=sample.recording_id,
        source=sample.name,
        channel=sample.channel,
        stretch=None if sample.stretch == WHOLE else StretchDocument.model_validate(sample.stretch),
        language=sample.language,
        state=shown,
        outcome=shown,
        code=getattr(reason(sample), "code", None),
        message=getattr(reason(sample), "message", None),
        value=getattr(reason(sample), "value", None),
        limit=getattr(reason(sample), "limit", None),
        planned_at=sample.planned_at,
        prepared_at=sample.prepared.at if sample.prepared else None,
        recipe=RecipeDocument.model_validate(sample.clip.recipe) if sample.clip else None,
        measures=MeasuresDocument.model_validate(sample.clip.measures) if sample.clip else None,
        conflict=ConflictDocument.model_validate(sample.conflict) if sample.conflict else None,
        attempts=tuple(_attempt(attempt) for attempt in (*sample.former, *sample.attempts)),
    )


def _attempt(attempt: Attempt) -> AttemptDocument:
    answer = attempt.answer
    return AttemptDocument(
        attempt_id=attempt.attempt_id,
        verb=attempt.verb,
        started_at=attempt.started_at,
        job_id=attempt.job_id,
        accepted_at=attempt.accepted_at,
        answered_at=answer.at if answer else None,
        outcome=answer.outcome if answer else None,
        code=answer.code if answer else None,
        message=answer.message if answer else None,
        via=answer.via if answer else None,
    )


def _in_words(record: Record, steps: tuple[Step, ...], *, now: datetime) -> str:
    held = [sample for sample in record.samples if sample_state(sample) is SampleState.HELD]
    asked = [_decision_in_words(record, sample) for sample in held]
    if asked and not steps and not is_goal_met(record):
        return "; ".join(asked)
    return "; ".join([_work_in_words(record, steps, now=now), *asked])


def _decision_in_words(record: Record, sample: Sample) -> str:
    names = f"{record.speaker_id} {sample.recording_id}"
    return f"{sample.name} is held for a person: `voxroll accept {names}` or `voxroll reject {names}`"


def _work_in_words(record: Record, steps: tuple[Step, ...], *, now: datetime) -> str:
    if not steps and (why := _NOTHING.get(speaker_state(record))):
        return why
    if steps:
        return "; ".join(_step_in_words(record, step, now=now) for step in steps)
    known = record.enrollment
    if is_goal_met(record):
        return "nothing: the goal is met"
    if known and known.complete:
        return f"nothing: complete; for {record.goal.quality} hand in more recordings of other conversations"
    if missing := speech_missing(record):
        return f"hand in another recording: {missing}"
    return "hand in a recording that holds at least 12 s of this person's speech" if record.samples else "nothing"


def _step_in_words(record: Record, step: Step, *, now: datetime) -> str:
    if isinstance(step, Unenroll):
        return "its enrollment and its audio will be deleted"
    if isinstance(step, Renew):
        return "its enrollment will be deleted at the API; the samples that count are handed in anew"
    name = record.sample(step.recording_id).name
    match step:
        case Prepare():
            return f"{name} will be measured"
        case Submit(at=at):
            seconds = (at - now).total_seconds()
            return f"{name} will be submitted" + (f" in {seconds:.0f} s" if seconds > 1 else "")
        case LookUp(at=at):
            return f"{name} waits for its callback; the API is asked at {at:%H:%M:%S} UTC"
        case Park():
            return f"{name} will be set aside ({step.code})"
