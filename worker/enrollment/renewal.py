"""Enrolled anew: which samples count, and which attempts, once a batch replaces others or was rolled back.

The API can only add to an enrollment. To take samples out it is deleted, and those that count are handed in once more.
Each deletion begins an era: what the API does and says of attempts of an earlier one counts no more, however late it
comes. An attempt's id names its era, so that this can be told of every answer without knowing what came before it.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from worker.enrollment.record import (
    Attempt,
    AttemptId,
    AttemptOutcome,
    Membership,
    Record,
    Replacement,
    Sample,
)

ONE_ORDER = timedelta(milliseconds=1)  # the recordings of one order are planned within this
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_EVER = datetime.min.replace(tzinfo=UTC)
_NAMED = re.compile(r"\w+-([0-9a-f]{14})")


def attempt_named(unique: str, era: datetime | None) -> AttemptId:
    """The id of an attempt: something unique, and its era (hexadecimal µs since 1970), but for the first."""
    return AttemptId(f"{unique}-{(era - _EPOCH) // _US:014x}" if era else unique)


def era_of(attempt_id: AttemptId) -> datetime | None:
    """The era that an attempt belongs to; None: the first."""
    named = _NAMED.fullmatch(attempt_id)
    return _EPOCH + int(named[1], 16) * _US if named else None


def is_before(era: datetime | None, other: datetime | None) -> bool:
    """Whether an era is earlier than another."""
    return (era or _EVER) < (other or _EVER)


def is_plain(record: Record) -> bool:
    """Whether nothing was ever replaced or rolled back, as with nearly everybody: all that is known counts."""
    return record.era is None and not record.undone and not record.replacements


def told_apart(record: Record) -> Record:
    """The record with what counts, and what doesn't any more, told apart: attempts, samples, enrollment."""
    if is_plain(record):
        return record
    samples = tuple(_told_apart(record, sample) for sample in record.samples)
    if is_before(record.enrollment_era, record.era):
        return replace(record, samples=samples, enrollment=None, enrollment_era=None)
    return replace(record, samples=samples)


def _told_apart(record: Record, sample: Sample) -> Sample:
    known = (*sample.former, *sample.attempts)
    return replace(
        sample,
        former=tuple(one for one in known if is_before(era_of(one.attempt_id), record.era)),
        attempts=tuple(one for one in known if not is_before(era_of(one.attempt_id), record.era)),
        withdrawn=_is_withdrawn(record, sample),
    )


def handings(record: Record, sample: Sample) -> tuple[Membership, ...]:
    """Who handed the recording in, and when: the names of batches, and an empty one for whoever did it alone."""
    planned = sample.planned_at
    if planned is None or (sample.handed and min(sample.handed).at < planned + ONE_ORDER):
        return sample.handed
    if sample.handed:
        return (Membership(planned, ""), *sample.handed)
    joined = [
        one for one in record.batches if timedelta() <= planned - one.at < ONE_ORDER
    ]  # before it was written down
    return (Membership(planned, joined[0].batch if joined else ""),)


def live(record: Record, sample: Sample) -> list[Membership]:
    """Those of the handings that count."""
    since = max((one.at for one in record.replacements if one.begun and not _is_undone(record, one)), default=_EVER)
    return [one for one in handings(record, sample) if one.at >= since and not _is_undone(record, one)]


def _is_undone(record: Record, one: Membership | Replacement) -> bool:
    return any(undone.batch == one.batch and undone.at >= one.at for undone in record.undone)


def _is_withdrawn(record: Record, sample: Sample) -> bool:
    return sample.planned_at is not None and not live(record, sample)


def pending(record: Record) -> Replacement | None:
    """The replacement that waits for a sample that is ready, if any."""
    ordered = max((one for one in record.replacements if not _is_undone(record, one)), default=None)
    return ordered if ordered and not ordered.begun else None


def candidates(record: Record) -> list[Sample]:
    """The samples of that replacement."""
    ordered = pending(record)
    if ordered is None:
        return []
    return [one for one in record.samples if any(handed.at >= ordered.at for handed in live(record, one))]


def beside(record: Record, sample: Sample) -> list[Sample]:
    """The samples that share an enrollment with this one, itself among them, if it is handed in."""
    new = candidates(record)
    return new if sample in new else list(record.samples)


def is_removing(record: Record) -> bool:
    """Whether a deletion has been started and is not known to be done."""
    return is_before(record.removed, record.era)


def must_remove(record: Record) -> bool:
    """Whether the API holds a sample that counts no more."""
    return any(one.withdrawn and AttemptOutcome.APPLIED in one.outcomes() for one in record.samples)


def was_applied(sample: Sample) -> bool:
    """Whether the API had applied it in an earlier era."""
    return any(_outcome(one) is AttemptOutcome.APPLIED for one in sample.former)


def was_refused(sample: Sample) -> bool:
    """Whether the API had refused it in an earlier era: it would again."""
    return not was_applied(sample) and any(_outcome(one) is AttemptOutcome.REFUSED for one in sample.former)


def _outcome(attempt: Attempt) -> AttemptOutcome | None:
    return attempt.answer.outcome if attempt.answer else None
