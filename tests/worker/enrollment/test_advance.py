"""Promise 3: `advance` is total and monotone; all orders and repeats of the same facts end in the same record."""

import random
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lives import START, any_facts, enrolled, lived, lives
from worker.enrollment.advance import advance
from worker.enrollment.facts import Answered, Fact
from worker.enrollment.record import AttemptOutcome, Quality, Record, SpeakerId, Via
from worker.enrollment.states import MOVES, SpeakerState, is_settled, sample_state, speaker_state
from worker.enrollment.steps import Policy, due_at, next_steps

EMPTY = Record(speaker_id=SpeakerId("s"))


@settings(max_examples=300)
@given(facts=lives(), seed=st.integers())
def test_any_order_with_any_repeats_ends_alike(facts: list[Fact], seed: int) -> None:
    shuffled = facts + facts[: len(facts) // 2]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 -- no secret
    assert lived(shuffled) == lived(facts)


@settings(max_examples=500)
@given(facts=any_facts(), seed=st.integers())
def test_facts_that_contradict_each_other_end_alike_in_any_order(facts: list[Fact], seed: int) -> None:
    shuffled = facts + facts[::2]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 -- no secret
    assert lived(shuffled) == lived(facts)


@given(facts=lives())
def test_a_repeated_fact_is_no_news(facts: list[Fact]) -> None:
    record = lived(facts)
    for fact in facts:
        decision = advance(record, fact)
        assert decision.record == record
        assert decision.events == ()


@given(facts=lives())
def test_samples_move_as_the_table_says(facts: list[Fact]) -> None:
    record = EMPTY
    for fact in facts:
        after = advance(record, fact).record
        for sample in after.samples:
            before, now = sample_state(record.sample(sample.recording_id)), sample_state(sample)
            assert before is now or now in MOVES[before, type(fact).__name__]
        record = after


@given(facts=lives(), later_s=st.integers(0, 200_000))
def test_a_record_is_settled_or_has_a_step_and_a_time(facts: list[Fact], later_s: int) -> None:
    now = START + timedelta(seconds=later_s)
    for known in range(len(facts) + 1):
        record = lived(facts[:known])
        steps = next_steps(record, now=now, policy=Policy())
        assert bool(steps) != is_settled(record)
        assert (due_at(record, now=now, policy=Policy()) is None) == is_settled(record)


@given(facts=lives())
def test_completion_is_told_once_for_each_enrollment(facts: list[Fact]) -> None:
    record, told = EMPTY, list[str]()
    for fact in [fact for fact in facts for _ in range(2)]:
        decision = advance(record, fact)
        if decision.record.era != record.era:
            told = []
        record = decision.record
        told += [event.name for event in decision.events]
    complete = bool(record.enrollment and record.enrollment.complete)
    assert told.count("enrollment.completed") == complete


@given(facts=lives())
def test_a_late_success_outweighs_what_we_concluded(facts: list[Fact]) -> None:
    """A callback that comes after we had given the attempt up still counts."""
    record = lived(facts)
    for sample in record.samples:
        for attempt in sample.attempts:
            late = Answered(
                at=START + timedelta(days=1),
                recording_id=sample.recording_id,
                attempt_id=attempt.attempt_id,
                outcome=AttemptOutcome.APPLIED,
                via=Via.CALLBACK,
                enrollment=enrolled(9, quality=Quality.HIGH),
            )
            after = advance(record, late).record
            assert sample_state(after.sample(sample.recording_id)) == "applied"


def test_less_audio_is_older_news() -> None:
    record = replace(EMPTY, enrollment=enrolled(3, quality=Quality.GOOD))
    answers = [
        Answered(
            at=START,
            recording_id=f"r{n}",  # type: ignore[arg-type]  # any text is an id here
            attempt_id=f"a{n}",  # type: ignore[arg-type]  # the same
            outcome=AttemptOutcome.APPLIED,
            via=Via.CALLBACK,
            enrollment=enrolled(n),
        )
        for n in (1, 2)
    ]
    for answer in answers:
        record = advance(record, answer).record
    assert record.enrollment == enrolled(3, quality=Quality.GOOD)


def test_an_empty_record_waits_for_nothing() -> None:
    assert is_settled(EMPTY)
    assert speaker_state(EMPTY) is SpeakerState.PLANNED
