"""Parity: how a speaker who was enrolled at one provider stands at another, from the records of both. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from worker.enrollment.events import reason
from worker.enrollment.record import Enrollment, Record, RecordingId, Sample
from worker.enrollment.states import SampleState, applied_count, is_settled, sample_state
from worker.intake import may_pass

_AGAIN = "+"  # between a recording's id and the number of its go
_GOOD = frozenset({SampleState.APPLIED, SampleState.READY, SampleState.SUBMITTING, SampleState.PARKED})


class Parity(StrEnum):
    """How a speaker stands there, beside how they stood before."""

    AT_PARITY = "at_parity"
    WORSE = "worse"
    MISSING = "missing"
    PENDING = "pending"
    ERASED = "erased"
    NOT_ENROLLED = "not_enrolled"


class Standing(NamedTuple):
    """How one speaker stands.

    Attributes:
        parity: in a word.
        lost: applied samples whose clip is gone, and whose recording is gone too.
        refused: samples that the other provider refused.
        may_pass: moving once more may help.
        row: all of it as JSON types with wire names.
    """

    parity: Parity
    lost: int
    refused: int
    may_pass: bool
    row: dict[str, Any]


def carried(record: Record) -> list[Sample]:
    """The samples that are worth handing in elsewhere; none of a speaker of whom none was applied."""
    good = [one for one in record.samples if one.clip and not one.withdrawn and sample_state(one) in _GOOD]
    return good if applied_count(record) else []


def goes(record: Record, recording_id: RecordingId) -> list[Sample]:
    """The samples that stand for one of the source's, the last go last."""
    return [one for one in record.samples if one.recording_id.partition(_AGAIN)[0] == recording_id]


def free_id(record: Record, recording_id: RecordingId) -> RecordingId:
    """Under which id the source's sample goes out: its own, another one where that failed for what may have passed."""
    known = goes(record, recording_id)
    if known and all(may_pass(one) for one in known):
        return RecordingId(f"{recording_id}{_AGAIN}{len(known) + 1}")
    return known[-1].recording_id if known else recording_id


def standing(before: Record, after: Record) -> Standing:
    """Hold a speaker's record against the one that was made of it."""
    applied = [one for one in carried(before) if sample_state(one) is SampleState.APPLIED]
    lost = [one for one in applied if not goes(after, one.recording_id)] if not before.erased_at else []
    refused = sum(sample_state(one) is SampleState.REFUSED for one in after.samples)
    parity = _parity(before, after, is_carried=bool(applied))
    row = {
        "speakerId": before.speaker_id,
        "parity": str(parity),
        "before": _shown(before),
        "after": _shown(after),
        "lost": [one.name for one in lost],
        "refused": refused,
        "reasons": _reasons(after.samples),
    }
    is_short = parity in {Parity.WORSE, Parity.MISSING}
    can_pass = is_short and (bool(lost) or any(may_pass(one) for one in after.samples))
    return Standing(parity, len(lost), refused, parity is Parity.PENDING or can_pass, row)


def _parity(before: Record, after: Record, *, is_carried: bool) -> Parity:
    if before.erased_at or after.erased_at:
        return Parity.ERASED if after.erased_at and is_settled(after) else Parity.PENDING
    if not is_carried:
        return Parity.NOT_ENROLLED
    if not is_settled(after):
        return Parity.PENDING
    if after.enrollment is None:
        return Parity.MISSING
    return Parity.AT_PARITY if _grade(after.enrollment) >= _grade(before.enrollment) else Parity.WORSE


def _grade(seen: Enrollment | None) -> tuple[bool, int]:
    return (bool(seen and seen.complete), seen.quality.rank if seen and seen.quality else -1)


def _shown(record: Record) -> dict[str, Any]:
    known = record.enrollment
    return {
        "complete": bool(known and known.complete),
        "quality": known.quality if known else None,
        "speechSeconds": round(known.speech_s, 2) if known else 0.0,
        "audioSeconds": round(known.audio_s, 2) if known else 0.0,
        "samples": applied_count(record),
    }


def _reasons(samples: Iterable[Sample]) -> list[dict[str, str | None]]:
    told = [(one.name, reason(one)) for one in samples]
    return [{"source": name, "code": one.code, "message": one.message} for name, one in told if one and one.code]
