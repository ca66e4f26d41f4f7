"""Enrolled anew: what replaces others, what is rolled back, when the API deletes, and what counts after it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lives import MEASURES, START, enrolled, recipe
from worker.enrollment.advance import advance
from worker.enrollment.facts import (
    Answered,
    BatchJoined,
    BatchUndone,
    EnrollmentSeen,
    Fact,
    RecordingPlanned,
    RemovalStarted,
    Removed,
    ReplacementBegun,
    ReplacementOrdered,
    SampleReady,
    SampleRejected,
    SubmissionStarted,
)
from worker.enrollment.record import (
    AttemptOutcome,
    Membership,
    Quality,
    Record,
    RecordingId,
    SpeakerId,
    Verb,
    Via,
)
from worker.enrollment.renewal import attempt_named, beside, era_of, handings
from worker.enrollment.states import SpeakerState, is_goal_met, is_settled, sample_state, speaker_state
from worker.enrollment.steps import LookUp, Policy, Prepare, Renew, Submit, next_steps, next_verb
from worker.store.codec import Unpacked, packed, unpacked

EMPTY = Record(speaker_id=SpeakerId("s"))
POLICY = Policy()


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def planned(name: str, minute: float, batch: str | None = None, *, first: float | None = None) -> RecordingPlanned:
    handed = Membership(at(minute), batch) if batch is not None else None
    began = at(minute if first is None else first)
    return RecordingPlanned(at=began, recording_id=RecordingId(name), source=name, name=name, handed=handed)


def ready(name: str, minute: float) -> SampleReady:
    named: dict[str, Any] = {"at": at(minute), "recording_id": RecordingId(name)}
    return SampleReady(**named, recipe=recipe(name), measures=MEASURES, object_key=name)


def applied(name: str, minute: float, *, samples: int = 1, era: datetime | None = None) -> list[Fact]:
    named: dict[str, Any] = {"recording_id": RecordingId(name), "attempt_id": attempt_named(f"{name}a", era)}
    seen = enrolled(samples, quality=Quality.HIGH)
    told: dict[str, Any] = {"outcome": AttemptOutcome.APPLIED, "via": Via.CALLBACK, "enrollment": seen}
    return [
        SubmissionStarted(at=at(minute), **named, verb=Verb.POST, before_s=15.0 * (samples - 1)),
        Answered(at=at(minute + 0.1), **named, **told),
    ]


def lived(facts: Iterable[Fact], record: Record = EMPTY) -> Record:
    for fact in facts:
        record = advance(record, fact).record
    return record


def states(record: Record) -> dict[str, str]:
    return {one.recording_id: str(sample_state(one)) for one in record.samples}


def steps(record: Record, minute: float = 60) -> tuple[object, ...]:
    return next_steps(record, now=at(minute), policy=POLICY)


OLD: list[Fact] = [planned("old", 0), ready("old", 0), *applied("old", 1)]
ORDER: list[Fact] = [ReplacementOrdered(at=at(10), batch="b"), planned("new", 10, "b")]
BEGUN = ReplacementBegun(at=at(10), batch="b")


def test_what_is_replaced_stays_until_a_new_sample_is_ready() -> None:
    waiting = lived([*OLD, *ORDER])
    assert (steps(waiting), is_settled(waiting), is_goal_met(waiting)) == ((Prepare(RecordingId("new")),), False, False)
    assert states(waiting) == {"old": "applied", "new": "planned"}
    rejected = SampleRejected(at=at(11), recording_id=RecordingId("new"), code="silent", message="-")
    without = lived([rejected], waiting)
    assert (steps(without), speaker_state(without)) == ((), SpeakerState.COMPLETE)
    assert states(without) == {"old": "applied", "new": "rejected"}
    due = lived([ready("new", 11)], waiting)
    assert steps(due) == (Renew(at(60)),)
    assert due.enrollment is not None


def test_once_begun_the_old_counts_no_more_and_the_new_goes_out_after_the_deletion() -> None:
    begun = lived([*OLD, *ORDER, ready("new", 11), BEGUN])
    assert steps(begun) == (Renew(at(60)),)
    removing = lived([RemovalStarted(at=at(12))], begun)
    assert (states(removing), removing.enrollment) == ({"old": "withdrawn", "new": "ready"}, None)
    assert steps(removing, 12) == (Renew(at(12) + POLICY.answer_deadline),)
    assert speaker_state(removing) is SpeakerState.ENROLLING
    removed = lived([Removed(at=at(12))], removing)
    assert steps(removed) == (Submit(RecordingId("new"), at(60)),)
    assert next_verb(removed, removed.sample(RecordingId("new"))) is Verb.POST
    done = lived(applied("new", 13, era=removed.era), removed)
    assert (states(done), speaker_state(done)) == ({"old": "withdrawn", "new": "applied"}, SpeakerState.COMPLETE)
    assert done.enrollment == enrolled(1, quality=Quality.HIGH)


def test_what_is_told_late_of_the_old_enrollment_does_not_count() -> None:
    done = lived([*OLD, *ORDER, ready("new", 11), BEGUN, RemovalStarted(at=at(12)), Removed(at=at(12))])
    started, late = applied("old", 1, samples=9)
    after = lived([started, late, EnrollmentSeen(at=at(20), enrollment=enrolled(9))], done)
    assert (after.enrollment, states(after), steps(after)) == (done.enrollment, states(done), steps(done))


def test_an_attempt_under_way_is_waited_for() -> None:
    (started, answer) = applied("more", 9, samples=2)
    more: list[Fact] = [planned("more", 8), ready("more", 8), started]
    record = lived([*OLD, *more, *ORDER, ready("new", 11)])
    (look,) = steps(record)
    assert isinstance(look, LookUp)
    assert steps(lived([answer], record)) == (Renew(at(60)),)


def test_a_recording_that_both_have_is_handed_in_once_more() -> None:
    again: list[Fact] = [ReplacementOrdered(at=at(10), batch="b"), planned("both", 10, "b", first=2)]
    both: list[Fact] = [planned("both", 2), ready("both", 2), *applied("both", 3, samples=2)]
    record = lived([*OLD, *both, *again])
    assert steps(record) == (Renew(at(60)),)
    record = lived([BEGUN, RemovalStarted(at=at(12)), Removed(at=at(12))], record)
    assert states(record) == {"old": "withdrawn", "both": "ready"}


def test_where_the_new_are_all_there_is_nothing_is_deleted() -> None:
    record = lived([*OLD, ReplacementOrdered(at=at(10), batch="b"), planned("old", 10, "b", first=0), BEGUN])
    assert (states(record), steps(record)) == ({"old": "applied"}, ())


def test_a_speaker_of_one_batch_is_taken_out_and_may_come_again() -> None:
    facts = [
        planned("r", 0, "b"),
        ready("r", 0),
        *applied("r", 1),
        planned("s", 2, "b"),
        BatchUndone(at=at(5), batch="b"),
    ]
    record = lived(facts)
    assert (states(record), steps(record)) == ({"r": "applied", "s": "withdrawn"}, (Renew(at(60)),))
    out = lived([RemovalStarted(at=at(6)), Removed(at=at(6))], record)
    assert (speaker_state(out), steps(out), is_settled(out)) == (SpeakerState.WITHDRAWN, (), True)
    again = lived([planned("r", 9, "c", first=0)], out)
    assert (states(again)["r"], [type(one) for one in steps(again)]) == ("ready", [Submit])


def test_who_has_other_samples_is_enrolled_anew_of_those() -> None:
    of_both: list[Fact] = [
        planned("both", 1, "a"),
        planned("both", 2, "b", first=1),
        ready("both", 2),
        *applied("both", 3, samples=2),
    ]
    of_one: list[Fact] = [planned("mine", 4, "b"), ready("mine", 4), *applied("mine", 5, samples=3)]
    undone = lived([*OLD, *of_both, *of_one, BatchUndone(at=at(9), batch="b")])
    assert steps(undone) == (Renew(at(60)),)
    left = lived([RemovalStarted(at=at(10)), Removed(at=at(10))], undone)
    assert states(left) == {"old": "ready", "both": "ready", "mine": "withdrawn"}
    assert states(lived([BatchUndone(at=at(11), batch="a")], left))["both"] == "withdrawn"


def test_rolling_back_what_replaced_brings_the_old_back() -> None:
    replaced: list[Fact] = [*OLD, *ORDER, ready("new", 11), BEGUN, RemovalStarted(at=at(12)), Removed(at=at(12))]
    record = lived([*replaced, *applied("new", 13, era=at(12)), BatchUndone(at=at(20), batch="b")])
    assert (states(record), steps(record)) == ({"old": "ready", "new": "applied"}, (Renew(at(60)),))
    record = lived([RemovalStarted(at=at(21)), Removed(at=at(21))], record)
    assert (states(record), steps(record)) == (
        {"old": "ready", "new": "withdrawn"},
        (Submit(RecordingId("old"), at(60)),),
    )


def test_a_batch_without_a_sample_at_the_api_costs_no_deletion() -> None:
    record = lived([*OLD, planned("r", 2, "b"), BatchUndone(at=at(5), batch="b")])
    assert (states(record), steps(record), speaker_state(record)) == (
        *({"old": "applied", "r": "withdrawn"}, ()),
        SpeakerState.COMPLETE,
    )


def test_a_deletion_that_was_begun_twice_is_done_when_the_second_is() -> None:
    record = lived([*OLD, *ORDER, ready("new", 11), BEGUN, RemovalStarted(at=at(12)), RemovalStarted(at=at(15))])
    assert steps(lived([Removed(at=at(12))], record), 15) == (Renew(at(15) + POLICY.answer_deadline),)
    assert [type(one) for one in steps(lived([Removed(at=at(15))], record))] == [Submit]


def test_of_records_that_do_not_say_who_handed_in_the_times_do() -> None:
    record = lived([BatchJoined(at=at(3), batch="b"), planned("r", 3), planned("s", 4)])
    told = {one.recording_id: [handed.batch for handed in handings(record, one)] for one in record.samples}
    assert told == {"r": ["b"], "s": [""]}
    assert states(lived([BatchUndone(at=at(5), batch="b")], record)) == {"r": "withdrawn", "s": "planned"}


@pytest.mark.parametrize("facts", [OLD, [*OLD, *ORDER, BEGUN, RemovalStarted(at=at(12))]])
def test_a_record_is_the_same_after_it_was_kept(facts: list[Fact]) -> None:
    record = lived(facts)
    assert unpacked(packed(record)) == Unpacked(record)


def test_records_of_before_can_be_read() -> None:
    blob = b'{"speaker_id":"s","samples":[{"recording_id":"r","planned_at":"2026-01-01T00:00:00Z"}]}'
    assert unpacked(blob).record == replace(EMPTY, samples=(replace(EMPTY.sample(RecordingId("r")), planned_at=START),))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_attempt_says_its_era(era: datetime) -> None:
    assert era_of(attempt_named("0f" * 16, era)) == era
    assert era_of(attempt_named("0f" * 16, None)) is None


def test_what_is_to_be_replaced_is_no_duplicate_of_what_replaces_it() -> None:
    ordered = lived([*OLD, *ORDER])
    old, new = (ordered.sample(RecordingId(name)) for name in ("old", "new"))
    assert beside(ordered, new) == [new]
    assert beside(ordered, old) == [old, new]
    without = lived([*OLD, planned("new", 10, "b")])
    assert beside(without, without.sample(RecordingId("new"))) == list(without.samples)
