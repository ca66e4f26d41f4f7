"""The states, read off the record, and the moves between a sample's states.

`MOVES` is the transition table: the README's diagram is compared with it by a test, and so is what `advance` does.
"""

from datetime import UTC, datetime
from enum import StrEnum

from worker.enrollment.record import AttemptOutcome, Clip, Record, Rejection, Sample
from worker.enrollment.renewal import ONE_ORDER, candidates, is_plain, is_removing, must_remove, was_refused


class SampleState(StrEnum):
    """Where one sample stands."""

    PLANNED = "planned"
    READY = "ready"
    HELD = "held"
    REJECTED = "rejected"
    SUBMITTING = "submitting"
    APPLIED = "applied"
    REFUSED = "refused"
    PARKED = "parked"
    WITHDRAWN = "withdrawn"


class SpeakerState(StrEnum):
    """Where the speaker stands."""

    PLANNED = "planned"
    ENROLLING = "enrolling"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


_S = SampleState
BATCH = "bat_"  # ids of batches that were handed in as a manifest begin so
_EVER = datetime.min.replace(tzinfo=UTC)
_HOPEFUL = frozenset({_S.PLANNED, _S.READY, _S.APPLIED})

MOVES: dict[tuple[SampleState, str], frozenset[SampleState]] = {
    (_S.PLANNED, "SampleReady"): frozenset({_S.READY}),
    (_S.PLANNED, "SampleRejected"): frozenset({_S.REJECTED}),
    (_S.PLANNED, "SampleParked"): frozenset({_S.PARKED}),
    (_S.READY, "SampleHeld"): frozenset({_S.HELD}),
    (_S.READY, "SampleDeclined"): frozenset({_S.REJECTED}),
    (_S.READY, "SubmissionStarted"): frozenset({_S.SUBMITTING}),
    (_S.READY, "SampleParked"): frozenset({_S.PARKED}),
    (_S.HELD, "SampleReleased"): frozenset({_S.READY}),
    (_S.HELD, "SampleDeclined"): frozenset({_S.REJECTED}),
    (_S.REJECTED, "SampleReleased"): frozenset({_S.READY}),  # a person changed their mind
    (_S.SUBMITTING, "Answered"): frozenset({_S.APPLIED, _S.REFUSED, _S.READY}),
    (_S.SUBMITTING, "SampleParked"): frozenset({_S.PARKED}),
    # A late answer to an attempt that we had already judged:
    (_S.READY, "Answered"): frozenset({_S.APPLIED, _S.REFUSED}),
    (_S.HELD, "Answered"): frozenset({_S.APPLIED, _S.REFUSED}),
    (_S.REJECTED, "Answered"): frozenset({_S.APPLIED, _S.REFUSED}),
    (_S.REFUSED, "Answered"): frozenset({_S.APPLIED}),
    (_S.PARKED, "Answered"): frozenset({_S.APPLIED}),
    # Rolled back or replaced, and handed in again:
    **{(state, "BatchUndone"): frozenset({_S.WITHDRAWN}) for state in (_S.PLANNED, _S.READY, _S.HELD)},
    **{(state, "ReplacementBegun"): frozenset({_S.WITHDRAWN}) for state in (_S.PLANNED, _S.READY, _S.HELD)},
    (_S.APPLIED, "RemovalStarted"): frozenset({_S.READY, _S.WITHDRAWN, _S.HELD, _S.REJECTED, _S.PARKED}),
    (_S.WITHDRAWN, "RecordingPlanned"): frozenset({_S.PLANNED, _S.READY, _S.HELD}),
    (_S.WITHDRAWN, "BatchUndone"): frozenset({_S.PLANNED, _S.READY, _S.HELD}),  # of the batch that had replaced it
    (_S.WITHDRAWN, "SampleRejected"): frozenset({_S.REJECTED}),
    (_S.WITHDRAWN, "SampleDeclined"): frozenset({_S.REJECTED}),
    (_S.WITHDRAWN, "SampleParked"): frozenset({_S.PARKED}),
    (_S.WITHDRAWN, "Answered"): frozenset({_S.APPLIED, _S.REFUSED}),
}


def sample_state(sample: Sample) -> SampleState:  # noqa: PLR0911, C901 -- one line per state
    """Where one sample stands. What the API did outweighs what we set aside, which outweighs what we measured."""
    ended = sample.outcomes()
    if AttemptOutcome.APPLIED in ended:
        return _S.APPLIED
    if sample.parked:
        return _S.PARKED
    if AttemptOutcome.REFUSED in ended or (sample.former and was_refused(sample)):
        return _S.REFUSED
    if sample.open_attempt:
        return _S.SUBMITTING
    match sample.prepared:
        case Clip() if sample.is_declined:
            return _S.REJECTED
        case Clip() | None if sample.withdrawn:
            return _S.WITHDRAWN
        case Clip() if sample.held and not sample.is_released:
            return _S.HELD
        case Clip():
            return _S.READY
        case Rejection():
            return _S.REJECTED
        case None:
            return _S.PLANNED


def is_urgent(record: Record) -> bool:
    """Whether the speaker was handed in alone, and not last by a batch: those stand behind, however many they are."""
    joined = [one.at for one in record.batches if one.batch.startswith(BATCH)]
    planned = [sample.planned_at for sample in record.samples if sample.planned_at]
    return not joined or max(planned, default=max(joined)) > max(joined) + ONE_ORDER


def applied_count(record: Record) -> int:
    """How many samples the API has applied."""
    return sum(sample_state(sample) is _S.APPLIED for sample in record.samples)


def is_goal_met(record: Record) -> bool:
    """Whether no further sample is worth a call."""
    if is_changing(record):
        return False
    if applied_count(record) >= record.goal.samples:
        return True
    known = record.enrollment
    return bool(known and known.complete and known.quality and known.quality.rank >= record.goal.quality.rank)


def is_changing(record: Record) -> bool:
    """Whether what the API holds is not, or may soon not be, what it is to hold."""
    return not is_plain(record) and (is_removing(record) or must_remove(record) or bool(replacing(record)))


def replacing(record: Record) -> list[Sample]:
    """The samples of a replacement that waits for one of them, as far as they have a clip or may yet."""
    return [one for one in candidates(record) if sample_state(one) in _HOPEFUL]


def is_unenrolled(record: Record) -> bool:
    """Whether an erased speaker is gone from the API: nothing was applied since it was last seen to."""
    answers = (attempt.answer for sample in record.samples for attempt in sample.attempts)
    applied = [answer.at for answer in answers if answer and answer.outcome is AttemptOutcome.APPLIED]
    return record.unenrolled_at is not None and record.unenrolled_at >= max([record.erased_at or _EVER, *applied])


def is_settled(record: Record) -> bool:
    """Whether nothing is left to do: no open attempt, and the goal met or no sample left but held ones.

    Those wait for a person, who may never come; the line does not wait for them.
    """
    states = {sample_state(sample) for sample in record.samples}
    if _S.SUBMITTING in states:
        return False
    if record.erased_at:
        return is_unenrolled(record)
    if is_changing(record):
        return False
    return is_goal_met(record) or not states & {_S.PLANNED, _S.READY}


def speaker_state(record: Record) -> SpeakerState:
    """Where the speaker stands."""
    if record.erased_at:
        return SpeakerState.ERASED
    if not is_settled(record):
        begun = any(sample.attempts or sample.former for sample in record.samples)
        return SpeakerState.ENROLLING if begun else SpeakerState.PLANNED
    if record.enrollment is None:
        if record.samples and all(sample.withdrawn for sample in record.samples):
            return SpeakerState.WITHDRAWN
        if any(sample_state(sample) is _S.HELD for sample in record.samples):
            return SpeakerState.INCOMPLETE  # until a person has decided
        return SpeakerState.FAILED if record.samples else SpeakerState.PLANNED
    return SpeakerState.COMPLETE if record.enrollment.complete else SpeakerState.INCOMPLETE
