"""How a speaker stands at another provider beside before, and which samples are worth handing in there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.lives import MEASURES, START, enrolled, recipe
from worker.enrollment.record import (
    Answer,
    Attempt,
    AttemptId,
    AttemptOutcome,
    Clip,
    Enrollment,
    Quality,
    Record,
    RecordingId,
    Rejection,
    Sample,
    SpeakerId,
    Via,
)
from worker.parity import Parity, carried, free_id, goes, standing

EMPTY = Record(speaker_id=SpeakerId("s"))
CLIP = Clip(at=START, recipe=recipe(), measures=MEASURES, object_key="c")
NOTHING = Rejection(at=START, code="silent", message="-")


def sample(name: str, outcome: AttemptOutcome | None = AttemptOutcome.APPLIED, code: str | None = None) -> Sample:
    answer = Answer(at=START, outcome=outcome, via=Via.CALLBACK, code=code) if outcome else None
    attempts = (Attempt(attempt_id=AttemptId(f"{name}a"), started_at=START, answer=answer),) if outcome else ()
    return Sample(recording_id=RecordingId(name), name=name, planned_at=START, prepared=CLIP, attempts=attempts)


def record(*samples: Sample, seen: Enrollment | None = None) -> Record:
    return replace(EMPTY, samples=samples, enrollment=seen)


GOOD, POOR = enrolled(2, quality=Quality.GOOD), enrolled(1, quality=Quality.POOR)
BEFORE = record(sample("a"), sample("b"), seen=GOOD)


def test_what_is_worth_handing_in_is_carried() -> None:
    samples = {
        "applied": sample("applied"),
        "spare": sample("spare", None),
        "refused": sample("refused", AttemptOutcome.REFUSED),
        "rejected": replace(sample("rejected", None), prepared=NOTHING),
        "held": replace(sample("held", None), held=NOTHING),
        "withdrawn": replace(sample("withdrawn"), withdrawn=True),
    }
    assert [one.name for one in carried(record(*samples.values()))] == ["applied", "spare"]
    assert carried(record(samples["spare"])) == []


@pytest.mark.parametrize(
    ("after", "parity"),
    [
        (record(sample("a"), sample("b"), seen=GOOD), Parity.AT_PARITY),
        (record(sample("a"), sample("b", None), seen=enrolled(1, quality=Quality.HIGH)), Parity.AT_PARITY),
        (record(sample("a"), seen=POOR), Parity.WORSE),
        (record(sample("a"), seen=replace(GOOD, complete=False)), Parity.WORSE),
        (EMPTY, Parity.MISSING),
        (record(sample("a"), sample("b", None), seen=GOOD), Parity.PENDING),
        (replace(EMPTY, erased_at=START, unenrolled_at=START), Parity.ERASED),
    ],
)
def test_the_grades_are_compared_once_it_is_settled(after: Record, parity: Parity) -> None:
    assert standing(BEFORE, after).parity is parity


def test_who_was_erased_is_to_be_erased_there_and_who_was_not_enrolled_is_nobody_to_move() -> None:
    erased = replace(EMPTY, erased_at=START)
    assert standing(erased, EMPTY).parity is Parity.PENDING
    gone = replace(erased, unenrolled_at=START + timedelta(seconds=1))
    assert standing(erased, gone).parity is Parity.ERASED
    assert standing(record(sample("a", None)), EMPTY).parity is Parity.NOT_ENROLLED


def test_what_is_lost_or_refused_is_told_and_whether_it_may_pass() -> None:
    refused = sample("a", AttemptOutcome.REFUSED, "too_short")
    found = standing(BEFORE, record(refused))
    assert (found.parity, found.lost, found.refused, found.may_pass) == (Parity.MISSING, 1, 1, True)
    assert found.row["lost"] == ["b"]
    assert [one["code"] for one in found.row["reasons"]] == ["too_short"]
    both = record(refused, sample("b", AttemptOutcome.REFUSED, "too_short"))
    assert not standing(BEFORE, both).may_pass


def test_what_was_given_up_goes_once_more_under_another_id() -> None:
    given_up = replace(sample("a", None), parked=replace(NOTHING, code="attempts_exhausted"))
    name = RecordingId("a")
    assert free_id(EMPTY, name) == "a"
    assert free_id(record(sample("a")), name) == "a"
    assert free_id(record(given_up), name) == "a+2"
    again = replace(sample("a"), recording_id=RecordingId("a+2"))
    assert free_id(record(given_up, again), name) == "a+2"
    assert goes(record(given_up, again), name) == [given_up, again]
