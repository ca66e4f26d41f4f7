"""Which samples can succeed when a program hands the same recording in again: those that `rerun.jsonl` has."""

import pytest

from tests.support.lives import MEASURES, START, recipe
from worker.enrollment.record import (
    Answer,
    Attempt,
    AttemptId,
    AttemptOutcome,
    Clip,
    RecordingId,
    Rejection,
    Sample,
    Via,
)
from worker.intake import may_pass

CLIP = Clip(at=START, recipe=recipe(), measures=MEASURES, object_key="c")
ID = RecordingId("r")


def why(code: str) -> Rejection:
    return Rejection(at=START, code=code, message="-")


@pytest.mark.parametrize("code", ["not_found", "unreadable_source", "forbidden_source", "too_large", "internal_error"])
def test_a_recording_that_may_be_there_later(code: str) -> None:
    assert may_pass(Sample(recording_id=ID, planned_at=START, prepared=why(code)))


@pytest.mark.parametrize("code", ["silent", "too_short", "noisy", "duplicate_recording"])
def test_a_recording_stays_what_it_is(code: str) -> None:
    assert not may_pass(Sample(recording_id=ID, planned_at=START, prepared=why(code)))


@pytest.mark.parametrize("code", ["attempts_exhausted", "clip_lost", "internal_error"])
def test_what_was_set_aside_without_a_call_that_may_count(code: str) -> None:
    assert may_pass(Sample(recording_id=ID, planned_at=START, prepared=CLIP, parked=why(code)))


@pytest.mark.parametrize("code", ["no_answer", "poison"])
def test_what_may_have_counted_or_ends_the_worker_is_for_a_person(code: str) -> None:
    assert not may_pass(Sample(recording_id=ID, planned_at=START, prepared=CLIP, parked=why(code)))


@pytest.mark.parametrize(
    ("code", "can"),
    [("api_refused", True), ("enrollment_deleted", True), ("duplicate_sample", False), ("other_model", False)],
)
def test_what_the_api_refused_is_refused_again(code: str, *, can: bool) -> None:
    answer = Answer(at=START, outcome=AttemptOutcome.REFUSED, via=Via.CALLBACK, code=code)
    attempt = Attempt(attempt_id=AttemptId("a"), started_at=START, answer=answer)
    assert may_pass(Sample(recording_id=ID, planned_at=START, prepared=CLIP, attempts=(attempt,))) is can


def test_what_is_under_way_held_or_declined_is_not_handed_in_again() -> None:
    ready = Sample(recording_id=ID, planned_at=START, prepared=CLIP)
    held = Sample(recording_id=ID, planned_at=START, prepared=CLIP, held=why("different_voice"))
    declined = Sample(recording_id=ID, planned_at=START, prepared=CLIP, declined=why("duplicate_sample"))
    assert not any(may_pass(one) for one in (ready, held, declined, Sample(recording_id=ID, planned_at=START)))
