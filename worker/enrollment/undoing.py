"""What rolling a batch back comes to for one speaker, and which calls that takes. Pure: nothing is changed."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from worker.enrollment.advance import advance
from worker.enrollment.facts import BatchUndone
from worker.enrollment.record import Record
from worker.enrollment.renewal import handings
from worker.enrollment.states import SampleState, sample_state

_THERE = frozenset({SampleState.APPLIED, SampleState.SUBMITTING})  # at the API, or perhaps
_MAY_GO = _THERE | {SampleState.READY, SampleState.PLANNED}


class Outcome(StrEnum):
    """What becomes of the speaker."""

    TAKEN_OUT = "taken_out"
    ENROLLED_ANEW = "enrolled_anew"
    WITHDRAWN = "withdrawn"
    NOTHING = "nothing"
    ERASED = "erased"


class Undoing(NamedTuple):
    """What it comes to.

    Attributes:
        samples: so many count no more.
        fewest: calls, of which one deletes.
        most: calls, where as many samples are handed in anew as the goal allows.
    """

    outcome: Outcome
    samples: int = 0
    fewest: int = 0
    most: int = 0


def undone(record: Record, batch: str, *, since: datetime) -> BatchUndone:
    """The fact: behind all that the batch handed in, whatever the clocks of two machines say."""
    handed = [one.at for sample in record.samples for one in handings(record, sample) if one.batch == batch]
    return BatchUndone(at=max([since, *handed]), batch=batch)


def undoing(record: Record, fact: BatchUndone) -> Undoing:
    """What the fact would come to."""
    if record.erased_at:
        return Undoing(Outcome.ERASED)
    after = advance(record, fact).record
    gone = [one for one in after.samples if one.withdrawn and not record.sample(one.recording_id).withdrawn]
    if not any(sample_state(one) in _THERE for one in gone):
        return Undoing(Outcome.WITHDRAWN if gone else Outcome.NOTHING, len(gone))
    left = sum(not one.withdrawn and sample_state(one) in _MAY_GO for one in after.samples)
    if not left:
        return Undoing(Outcome.TAKEN_OUT, len(gone), 1, 1)
    return Undoing(Outcome.ENROLLED_ANEW, len(gone), 2, 1 + min(left, after.goal.samples))
