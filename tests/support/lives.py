"""Lives of speakers for hypothesis: facts in the order in which they can really happen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from worker.enrollment.advance import advance
from worker.enrollment.facts import (
    Answered,
    BatchJoined,
    BatchUndone,
    ConflictSuspected,
    EnrollmentSeen,
    Fact,
    GoalSet,
    RecordingPlanned,
    RemovalStarted,
    Removed,
    ReplacementBegun,
    ReplacementOrdered,
    SampleDeclined,
    SampleHeld,
    SampleParked,
    SampleReady,
    SampleRejected,
    SampleReleased,
    SpeakerErased,
    SubmissionAccepted,
    SubmissionStarted,
    Unenrolled,
)
from worker.enrollment.record import (
    WHOLE,
    AttemptId,
    AttemptOutcome,
    Enrollment,
    Goal,
    Measures,
    Membership,
    Quality,
    Recipe,
    Record,
    RecordingId,
    SpeakerId,
    Stretch,
    Verb,
    Via,
)
from worker.enrollment.renewal import attempt_named, must_remove
from worker.enrollment.states import SampleState, sample_state

START = datetime(2026, 1, 1, tzinfo=UTC)
MEASURES = Measures(
    duration_s=15.0,
    speech_s=14.0,
    longest_pause_s=0.4,
    snr_db=30.0,
    clip_ratio=0.0,
    level_dbfs=-20.0,
    narrow_band=False,
    consistency=0.8,
)


def recipe(name: str = "a.wav") -> Recipe:
    return Recipe(
        source=f"file:///{name}",
        channel=None,
        start_s=0.0,
        end_s=15.0,
        source_sha256="0" * 64,
        sample_sha256="1" * 64,
        policy="2022.1",
    )


def enrolled(samples: int, *, quality: Quality = Quality.AVERAGE) -> Enrollment:
    """What the API knows after so many samples."""
    return Enrollment(audio_s=15.0 * samples, speech_s=14.0 * samples, complete=samples > 0, quality=quality)


class _Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def any_facts() -> st.SearchStrategy[list[Fact]]:
    """Facts of one speaker that need not make sense together: few names and times, so that many of them collide."""
    times = st.integers(0, 4).map(lambda seconds: START + timedelta(seconds=seconds))
    names, eras = st.sampled_from(["r0", "r1"]).map(RecordingId), st.none() | times
    attempts = st.builds(attempt_named, st.sampled_from(["a0", "a1"]), eras)
    words = st.sampled_from(["x", "y"])
    seen = st.builds(
        Enrollment,
        audio_s=st.sampled_from([0.0, 9.5, 15.0]),
        speech_s=st.sampled_from([0.0, 9.0]),
        complete=st.booleans(),
        quality=st.sampled_from([None, *Quality]),
    )
    goals = st.builds(Goal, quality=st.sampled_from(Quality), samples=st.integers(1, 3))
    sample = {"at": times, "recording_id": names}
    attempt = sample | {"attempt_id": attempts}
    one = st.one_of(
        st.builds(GoalSet, at=times, goal=goals),
        st.builds(BatchJoined, at=times, batch=words),
        st.builds(EnrollmentSeen, at=times, enrollment=seen, era=eras),
        st.builds(BatchUndone, at=times, batch=words),
        st.builds(ReplacementOrdered, at=times, batch=words),
        st.builds(ReplacementBegun, at=times, batch=words),
        st.builds(RemovalStarted, at=times),
        st.builds(Removed, at=times),
        st.builds(SpeakerErased, at=times),
        st.builds(Unenrolled, at=times),
        st.builds(
            RecordingPlanned,
            **sample,
            source=words,
            name=words,
            channel=st.sampled_from([None, 0, 1]),
            handed=st.none() | st.builds(Membership, times, words),
            stretch=st.sampled_from([WHOLE, Stretch(start_s=1.0), Stretch(end_s=9.0)]),
            language=st.sampled_from([None, "de", "en-US"]),
        ),
        st.builds(SampleReady, **sample, recipe=words.map(recipe), measures=st.just(MEASURES), object_key=words),
        st.builds(SampleRejected, **sample, code=words, message=words),
        st.builds(SampleParked, **sample, code=words, message=words),
        st.builds(SampleHeld, **sample, code=words, message=words, value=st.none() | st.just(0.1)),
        st.builds(SampleReleased, **sample),
        st.builds(SampleDeclined, **sample, code=words, message=words),
        st.builds(ConflictSuspected, **sample, other=words.map(SpeakerId), score=st.just(0.7), threshold=st.just(0.5)),
        st.builds(SubmissionStarted, **attempt, verb=st.sampled_from(Verb), before_s=st.sampled_from([0.0, 15.0])),
        st.builds(SubmissionAccepted, **attempt, job_id=words),
        st.builds(
            Answered,
            **attempt,
            outcome=st.sampled_from(AttemptOutcome),
            via=st.sampled_from(Via),
            enrollment=st.none() | seen,
            code=st.none() | words,
            message=st.none() | words,
        ),
    )
    return st.lists(one, max_size=12)


def lives() -> st.SearchStrategy[list[Fact]]:
    """The facts of one speaker's life, each sample prepared, tried and answered in some way; enrolled anew perhaps."""
    return st.one_of(_lives(), _renewed())


@st.composite
def _renewed(draw: st.DrawFn) -> list[Fact]:
    """The life of one who is complete when a batch is rolled back, or replaces the others."""
    tick = _Clock()
    facts: list[Fact] = []
    for number in range(draw(st.integers(1, 3))):
        recording_id, attempt_id = RecordingId(f"r{number}"), AttemptId(f"r{number}a")
        _planned(facts, tick, recording_id, batch=draw(st.sampled_from([None, "x", "x", "y"])))
        named: dict[str, Any] = {"recording_id": recording_id, "attempt_id": attempt_id}
        facts += [
            SampleReady(at=tick(), recording_id=recording_id, recipe=recipe(), measures=MEASURES, object_key="c"),
            SubmissionStarted(at=tick(), **named, verb=Verb.POST, before_s=15.0 * number),
            Answered(
                at=tick(), **named, outcome=AttemptOutcome.APPLIED, via=Via.CALLBACK, enrollment=enrolled(number + 1)
            ),
        ]
    for turn in range(draw(st.integers(1, 2))):
        _changed(draw, facts, tick, turn=turn)
    return facts


@st.composite
def _lives(draw: st.DrawFn) -> list[Fact]:
    tick = _Clock()
    facts: list[Fact] = []
    applied = 0
    for number in range(draw(st.integers(1, 4))):
        applied += _handed_in(draw, facts, tick, name=f"r{number}", applied=applied)
    for turn in range(draw(st.integers(0, 2))):
        _changed(draw, facts, tick, turn=turn)
    return facts


def lived(facts: list[Fact]) -> Record:
    """The record that facts make."""
    record = Record(speaker_id=SpeakerId("s"))
    for fact in facts:
        record = advance(record, fact).record
    return record


def _handed_in(draw: st.DrawFn, facts: list[Fact], tick: Callable[[], datetime], *, name: str, applied: int) -> int:
    """A recording of a batch or of none; how many samples of it were applied."""
    recording_id = RecordingId(name)
    _planned(facts, tick, recording_id, batch=draw(st.sampled_from([None, "x", "y"])))
    if draw(st.integers(0, 4)) == 0:
        facts.append(SampleRejected(at=tick(), recording_id=recording_id, code="silent", message="0 s of speech"))
        return 0
    facts.append(SampleReady(at=tick(), recording_id=recording_id, recipe=recipe(), measures=MEASURES, object_key="c"))
    return _tried(draw, facts, tick, recording_id=recording_id, applied=applied)


def _planned(facts: list[Fact], tick: Callable[[], datetime], recording_id: RecordingId, *, batch: str | None) -> None:
    at = tick()
    planned = RecordingPlanned(
        at=lived(facts).sample(recording_id).planned_at or at,
        recording_id=recording_id,
        source=f"file:///{recording_id}",
        name=recording_id,
        handed=Membership(at, batch) if batch else None,
    )
    facts.append(planned)


def _changed(draw: st.DrawFn, facts: list[Fact], tick: Callable[[], datetime], *, turn: int) -> None:
    """A batch is rolled back or replaces the others; where the API holds what counts no more, it is enrolled anew."""
    if draw(st.booleans()):
        facts.append(BatchUndone(at=tick(), batch=draw(st.sampled_from(["x", "y", "z0"]))))
    else:
        ordered = ReplacementOrdered(at=tick(), batch=f"z{turn}")
        facts.append(ordered)
        again, name = draw(st.sampled_from(["r0", f"new{turn}"])), ordered.batch
        _planned(facts, tick, RecordingId(again), batch=name)
        if again != "r0":
            facts.append(
                SampleReady(
                    at=tick(), recording_id=RecordingId(again), recipe=recipe(), measures=MEASURES, object_key="c"
                )
            )
        if draw(st.integers(0, 3)) == 0:
            return  # none of them is ready, as far as anybody knows
        facts.append(ReplacementBegun(at=ordered.at, batch=name))
    record = lived(facts)
    states = [sample_state(sample) for sample in record.samples]
    if not must_remove(record) or SampleState.SUBMITTING in states:
        return
    facts += [RemovalStarted(at=tick()) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.integers(0, 3)) == 0:
        return
    facts.append(Removed(at=facts[-1].at))
    applied = 0
    for sample in lived(facts).samples:
        if sample_state(sample) is SampleState.READY:
            applied += _tried(draw, facts, tick, recording_id=sample.recording_id, applied=applied)


def _judged(draw: st.DrawFn, facts: list[Fact], tick: Callable[[], datetime], *, recording_id: RecordingId) -> bool:
    """Before an attempt: held perhaps, decided perhaps, once more perhaps; whether it goes on to be tried."""
    if any(isinstance(fact, SampleReleased) and fact.recording_id == recording_id for fact in facts):
        return True
    if draw(st.integers(0, 4)) == 0:
        conflict = ConflictSuspected(
            at=tick(), recording_id=recording_id, other=SpeakerId("t"), score=0.7, threshold=0.5
        )
        facts.append(conflict)
    match draw(st.sampled_from(["alike", "alike", "duplicate", "held", "accepted", "rejected", "changed"])):
        case "alike":
            return True
        case "duplicate":
            facts.append(SampleDeclined(at=tick(), recording_id=recording_id, code="duplicate_sample", message="12 s"))
            return False
        case what:
            facts.append(SampleHeld(at=tick(), recording_id=recording_id, code="different_voice", message="0.1"))
    if what in {"rejected", "changed"}:
        facts.append(SampleDeclined(at=tick(), recording_id=recording_id, code="different_voice", message="no"))
    if what in {"accepted", "changed"}:
        facts.append(SampleReleased(at=tick(), recording_id=recording_id))
    return what in {"accepted", "changed"}


def _tried(
    draw: st.DrawFn, facts: list[Fact], tick: Callable[[], datetime], *, recording_id: RecordingId, applied: int
) -> int:
    era = lived(facts).era
    for number in range(draw(st.integers(0, 3))):
        if not era and not _judged(draw, facts, tick, recording_id=recording_id):
            return 0
        attempt_id = attempt_named(f"{recording_id}a{number}", era)
        facts.append(
            SubmissionStarted(
                at=tick(), recording_id=recording_id, attempt_id=attempt_id, verb=Verb.POST, before_s=15.0 * applied
            )
        )
        if draw(st.booleans()):
            facts.append(
                SubmissionAccepted(at=tick(), recording_id=recording_id, attempt_id=attempt_id, job_id=f"j{attempt_id}")
            )
        outcome = draw(st.sampled_from([None, *AttemptOutcome]))
        if outcome is None:
            if draw(st.booleans()):
                facts.append(SampleParked(at=tick(), recording_id=recording_id, code="no_answer", message="24 h"))
            return 0
        seen = enrolled(applied + 1) if outcome is AttemptOutcome.APPLIED else None
        code = None if seen else "said_no"
        answer = Answered(
            at=tick(),
            recording_id=recording_id,
            attempt_id=attempt_id,
            outcome=outcome,
            via=draw(st.sampled_from(Via)),
            enrollment=seen,
            code=code,
        )
        facts.append(answer)
        if outcome is not AttemptOutcome.NOT_APPLIED:
            return int(seen is not None)
    return 0
