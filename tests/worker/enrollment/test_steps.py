"""What to do next, and when: the goal, one submission at a time, deadlines, retries that end."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.lives import MEASURES, START, enrolled, recipe
from worker.enrollment.record import (
    Answer,
    Attempt,
    AttemptId,
    AttemptOutcome,
    Clip,
    Goal,
    Quality,
    Record,
    RecordingId,
    Rejection,
    Sample,
    SpeakerId,
    Verb,
    Via,
)
from worker.enrollment.settle import NO_TRACE, settle
from worker.enrollment.states import SpeakerState, is_settled, sample_state, speaker_state
from worker.enrollment.steps import LookUp, Park, Policy, Prepare, Submit, next_steps, next_verb, retry_delay

POLICY = Policy(answer_deadline=timedelta(seconds=60), give_up=timedelta(hours=1), max_attempts=3)
RECORD = Record(speaker_id=SpeakerId("s"))


def ready(name: str, *attempts: Attempt, speech_s: float = 14.0, score: float | None = None) -> Sample:
    measures = replace(MEASURES, speech_s=speech_s, score=score)
    clip = Clip(at=START, recipe=recipe(), measures=measures, object_key="c")
    return Sample(recording_id=RecordingId(name), planned_at=START, prepared=clip, attempts=attempts)


def failed(number: int, code: str = "api_unavailable", *, at: datetime = START) -> Attempt:
    answer = Answer(at=at, outcome=AttemptOutcome.NOT_APPLIED, via=Via.RESPONSE, code=code)
    return Attempt(attempt_id=AttemptId(f"a{number}"), started_at=START, answer=answer)


OPEN = Attempt(attempt_id=AttemptId("open"), started_at=START)


def test_the_sample_that_promises_most_goes_first() -> None:
    samples = (ready("long", speech_s=20.0, score=0.6), ready("good", speech_s=14.0, score=0.8))
    (step,) = next_steps(replace(RECORD, samples=samples), now=START, policy=POLICY)
    assert isinstance(step, Submit)
    assert step.recording_id == "good"


def test_the_sample_with_most_speech_goes_first() -> None:
    record = replace(RECORD, samples=(ready("short", speech_s=8.0), ready("long", speech_s=20.0)))
    assert next_steps(record, now=START, policy=POLICY) == (Submit(RecordingId("long"), START),)


def test_a_sample_that_left_no_trace_is_repeated_before_another_goes() -> None:
    lost, tried = ready("lost", failed(1, NO_TRACE), failed(2), speech_s=8.0), ready("tried", failed(3))
    record = replace(RECORD, samples=(lost, tried, ready("fresh", speech_s=20.0)))
    (submit,) = next_steps(record, now=START, policy=POLICY)
    assert isinstance(submit, Submit)
    assert submit.recording_id == "lost"


def test_samples_of_one_speaker_go_one_at_a_time() -> None:
    planned = Sample(recording_id=RecordingId("planned"), planned_at=START)
    record = replace(RECORD, samples=(ready("first", OPEN), ready("second"), planned))
    steps = next_steps(record, now=START, policy=POLICY)
    assert [type(step) for step in steps] == [LookUp, Prepare]


@pytest.mark.parametrize(
    ("quality", "goal", "is_met"),
    [("Good", "High", False), ("High", "High", True), ("Good", "Average", True), ("Poor", "Poor", True)],
)
def test_a_met_goal_spends_no_more_calls(quality: str, goal: str, *, is_met: bool) -> None:
    known = enrolled(1, quality=Quality(quality))
    record = replace(RECORD, samples=(ready("spare"),), enrollment=known, goal=Goal(quality=Quality(goal)))
    assert (next_steps(record, now=START, policy=POLICY) == ()) is is_met


def test_an_incomplete_enrollment_never_meets_the_goal() -> None:
    known = replace(enrolled(1, quality=Quality.HIGH), complete=False)
    record = replace(RECORD, samples=(ready("more"),), enrollment=known)
    assert next_steps(record, now=START, policy=POLICY) != ()


def test_enough_samples_are_enough() -> None:
    applied = Answer(at=START, outcome=AttemptOutcome.APPLIED, via=Via.CALLBACK)
    used = tuple(ready(f"u{n}", replace(OPEN, attempt_id=AttemptId(str(n)), answer=applied)) for n in range(5))
    record = replace(RECORD, samples=(*used, ready("sixth")), enrollment=enrolled(5))
    assert next_steps(record, now=START, policy=POLICY) == ()


def held(name: str, **decided: Any) -> Sample:
    why = Rejection(at=START, code="different_voice", message="likeness 0.1")
    return replace(ready(name), held=why, **decided)


def test_nobody_waits_for_a_held_sample() -> None:
    record = replace(RECORD, samples=(held("h"),))
    assert (next_steps(record, now=START, policy=POLICY), is_settled(record)) == ((), True)
    assert speaker_state(record) is SpeakerState.INCOMPLETE
    (submit,) = next_steps(replace(record, samples=(held("h"), ready("r"))), now=START, policy=POLICY)
    assert submit == Submit(RecordingId("r"), START)


@pytest.mark.parametrize(
    ("accepted_s", "rejected_s", "state"),
    [(1, None, "ready"), (None, 1, "rejected"), (1, 2, "rejected"), (2, 1, "ready"), (1, 1, "rejected")],
)
def test_of_two_decisions_the_later_counts(accepted_s: int | None, rejected_s: int | None, state: str) -> None:
    decided: dict[str, Any] = {}
    if accepted_s:
        decided["released_at"] = START + timedelta(seconds=accepted_s)
    if rejected_s:
        at = START + timedelta(seconds=rejected_s)
        decided["declined"] = Rejection(at=at, code="different_voice", message="no")
    assert sample_state(held("h", **decided)) == state


@pytest.mark.parametrize(("after_s", "is_overdue", "next_s"), [(10, False, 60), (60, True, 120), (130, True, 240)])
def test_the_api_is_asked_ever_more_seldom(after_s: int, next_s: int, *, is_overdue: bool) -> None:
    record = replace(RECORD, samples=(ready("r", OPEN),))
    (step,) = next_steps(record, now=START + timedelta(seconds=after_s), policy=POLICY)
    assert isinstance(step, LookUp)
    assert (step.is_overdue, step.at) == (is_overdue, START + timedelta(seconds=next_s))


def test_no_answer_is_not_waited_for_for_ever() -> None:
    record = replace(RECORD, samples=(ready("r", OPEN),))
    (step,) = next_steps(record, now=START + timedelta(hours=1), policy=POLICY)
    assert isinstance(step, Park)
    assert step.code == "no_answer"


def test_attempts_wait_longer_and_end() -> None:
    def step_after(failures: int) -> object:
        record = replace(RECORD, samples=(ready("r", *(failed(one, "api_failed") for one in range(failures))),))
        return next_steps(record, now=START, policy=POLICY)[0]

    def due(failures: int) -> datetime:
        step = step_after(failures)
        assert isinstance(step, Submit)
        return step.at

    assert due(1) < due(2)
    parked = step_after(3)
    assert isinstance(parked, Park)
    assert parked.code == "attempts_exhausted"
    assert retry_delay(50) == timedelta(seconds=60)


def test_an_api_that_is_away_uses_up_no_attempts_but_is_not_waited_for_for_ever() -> None:
    outages = [failed(number) for number in range(40)]
    (submit,) = next_steps(replace(RECORD, samples=(ready("r", *outages),)), now=START, policy=POLICY)
    assert submit == Submit(RecordingId("r"), START + timedelta(minutes=10))
    late = failed(40, at=START + POLICY.give_up)
    (parked,) = next_steps(replace(RECORD, samples=(ready("r", *outages, late),)), now=START, policy=POLICY)
    assert isinstance(parked, Park)
    assert (parked.code, "api_unavailable" in parked.message) == ("attempts_exhausted", True)


def test_what_the_api_said_last_decides_between_post_and_patch() -> None:
    assert next_verb(RECORD, ready("r")) is Verb.POST
    assert next_verb(RECORD, ready("r", failed(1, "exists"))) is Verb.PATCH
    known = replace(RECORD, enrollment=enrolled(1))
    assert next_verb(known, ready("r")) is Verb.PATCH
    assert next_verb(known, ready("r", failed(1, "not_enrolled"))) is Verb.POST


@pytest.mark.parametrize(
    ("after_s", "outcome"),
    [(30.0, AttemptOutcome.NOT_APPLIED), (45.0, AttemptOutcome.APPLIED), (60.0, None), (15.0, None)],
)
def test_a_doubtful_attempt_is_told_by_the_sums(after_s: float, outcome: AttemptOutcome | None) -> None:
    assert settle(before_s=30.0, after_s=after_s, sample_s=15.0) is outcome
