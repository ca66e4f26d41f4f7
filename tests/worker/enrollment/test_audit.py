"""The audit tells a record that agrees with the API from each way in which it may not."""

from datetime import timedelta
from typing import Any

from tests.support.lives import MEASURES, START, recipe
from worker.enrollment.advance import advance
from worker.enrollment.audit import Told, check_progress, check_sums, check_told
from worker.enrollment.facts import Answered, Fact, RecordingPlanned, SampleReady, SubmissionStarted
from worker.enrollment.record import (
    AttemptId,
    AttemptOutcome,
    Enrollment,
    Quality,
    Record,
    RecordingId,
    SpeakerId,
    Verb,
    Via,
)
from worker.enrollment.steps import Policy


def heard(samples: float, *, quality: Quality = Quality.AVERAGE) -> Enrollment:
    return Enrollment(audio_s=15.0 * samples, speech_s=14.0 * samples, complete=True, quality=quality)


def enrolled(*outcomes: AttemptOutcome | None, base_s: float = 0.0) -> Record:
    """A record with one sample per outcome, each of 15 s; None: the attempt is open."""
    record, applied = Record(speaker_id=SpeakerId("s")), 0
    for number, outcome in enumerate(outcomes):
        named: dict[str, Any] = {"at": START + timedelta(minutes=number), "recording_id": RecordingId(f"r{number}")}
        attempt = named | {"attempt_id": AttemptId(f"a{number}")}
        facts: list[Fact] = [
            RecordingPlanned(**named, source="s", name="n"),
            SampleReady(**named, recipe=recipe(), measures=MEASURES, object_key="c"),
            SubmissionStarted(**attempt, verb=Verb.PATCH, before_s=base_s + 15.0 * applied),
        ]
        if outcome:
            applied += outcome is AttemptOutcome.APPLIED
            seen = heard(base_s / 15 + applied)
            facts.append(Answered(**attempt, outcome=outcome, via=Via.CALLBACK, enrollment=seen))
        for fact in facts:
            record = advance(record, fact).record
    return record


APPLIED, REFUSED, NOT = AttemptOutcome.APPLIED, AttemptOutcome.REFUSED, AttemptOutcome.NOT_APPLIED


def codes(record: Record, seen: Enrollment | None) -> list[str]:
    return [finding.code for finding in check_sums(record, seen)]


def test_what_agrees_is_clean() -> None:
    assert codes(enrolled(APPLIED, REFUSED, APPLIED), heard(2)) == []
    assert codes(enrolled(REFUSED, NOT), None) == []


def test_what_the_api_had_heard_before_us_is_not_ours() -> None:
    record = enrolled(APPLIED, APPLIED, base_s=30.0)
    assert codes(record, heard(4)) == []
    assert codes(record, heard(2)) == ["missing_at_api"]


def test_a_sample_that_counts_twice_is_named() -> None:
    (finding,) = check_sums(enrolled(APPLIED, APPLIED), heard(3))
    assert (finding.code, finding.evidence["expectedS"], finding.evidence["heardS"]) == ("applied_twice", 30.0, 45.0)
    assert finding.evidence["recordingId"] == "r0"


def test_more_and_less_than_was_applied_are_told_apart() -> None:
    assert codes(enrolled(APPLIED, REFUSED), heard(1.5)) == ["heard_more"]
    assert codes(enrolled(REFUSED), heard(1)) == ["heard_more"]
    assert codes(enrolled(APPLIED, APPLIED), heard(1)) == ["missing_at_api"]
    assert codes(enrolled(APPLIED), None) == ["missing_at_api"]


def test_a_record_that_lags_behind_is_told() -> None:
    assert codes(enrolled(APPLIED), heard(1, quality=Quality.HIGH)) == ["record_behind"]


def test_an_open_attempt_can_not_be_judged() -> None:
    assert codes(enrolled(APPLIED, None), heard(2)) == []
    assert codes(enrolled(APPLIED, None), heard(1)) == []


def test_callbacks_are_held_against_the_record() -> None:
    record = enrolled(APPLIED, NOT, None)

    def code(attempt: int, *, applied: bool, recording: int | None = None) -> list[str]:
        recording_id = f"r{attempt if recording is None else recording}"
        told = Told(callback_id="c", attempt_id=f"a{attempt}", recording_id=recording_id, applied=applied)
        return [finding.code for finding in check_told(record, told)]

    assert code(0, applied=True) == []
    assert code(1, applied=False) == []
    assert code(1, applied=True) == ["callback_contradicts"]
    assert code(2, applied=True) == ["callback_lost"]
    assert code(2, applied=False) == ["callback_lost"]
    assert code(9, applied=True) == ["attempt_unknown"]
    assert code(0, applied=True, recording=1) == ["attempt_unknown"]


def test_what_waits_too_long_is_stuck_and_what_is_settled_never_is() -> None:
    later = START + Policy().give_up + timedelta(hours=1)
    stuck = list(check_progress(enrolled(None), now=later, policy=Policy()))
    assert [finding.code for finding in stuck] == ["stuck"]
    assert list(check_progress(enrolled(None), now=START + timedelta(hours=1), policy=Policy())) == []
    assert list(check_progress(enrolled(REFUSED), now=later, policy=Policy())) == []
