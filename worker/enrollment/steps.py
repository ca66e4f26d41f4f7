"""What to do next for a speaker: pure, so that the workshop, the sweep and `why` agree.

A record with no steps is settled. Every other record has at least one, and a time at which to look again: nothing
waits for ever.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.enrollment.record import Attempt, Record, RecordingId, Sample, Verb
from worker.enrollment.renewal import is_removing, must_remove
from worker.enrollment.settle import NO_TRACE
from worker.enrollment.states import (
    SampleState,
    is_changing,
    is_goal_met,
    is_unenrolled,
    replacing,
    sample_state,
)

_RETRY_FIRST = timedelta(seconds=2)  # the API's own guidance for 5xx: 2 s, doubled, 60 s at most (CONTRACT 6)
_RETRY_CAP = timedelta(seconds=60)
_OUTAGE_CAP = timedelta(minutes=10)  # who waits for an API to come back need not ask every minute
_OUTAGES = frozenset(  # the API was away or let nobody in: nothing was said of the sample, so no attempt is used up
    {"api_credentials", "api_forbidden", "api_unavailable", "api_unreachable", "api_unreadable", "api_withdrawn",
     "rate_limited"}
)  # fmt: skip
_JOB_CHECK = timedelta(seconds=60)  # a step whose job got lost between store and queue is queued again after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long to wait and how often to try."""

    answer_deadline: timedelta = timedelta(minutes=2)
    give_up: timedelta = timedelta(hours=24)
    max_attempts: int = 6


@dataclass(frozen=True, slots=True)
class Prepare:
    """Measure a recording and cut its sample."""

    recording_id: RecordingId


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand a sample in, not before `at`."""

    recording_id: RecordingId
    at: datetime


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the API how an attempt ended: at once if it is overdue, and again at `at`."""

    recording_id: RecordingId
    attempt: Attempt
    is_overdue: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Park:
    """Set a sample aside."""

    recording_id: RecordingId
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unenroll:
    """Delete the enrollment of an erased speaker at the API, and the audio."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Delete the enrollment at the API, not before `at`, so that it is made anew of the samples that count."""

    at: datetime


Step = Prepare | Submit | LookUp | Park | Unenroll | Renew


def next_steps(record: Record, *, now: datetime, policy: Policy) -> tuple[Step, ...]:
    """Everything that may be done now or at a known time; empty when the speaker is settled."""
    by_state: dict[SampleState, list[Sample]] = {}
    for sample in record.samples:
        by_state.setdefault(sample_state(sample), []).append(sample)
    waiting = [_wait(sample, now=now, policy=policy) for sample in by_state.get(SampleState.SUBMITTING, [])]
    if record.erased_at:
        return (*waiting, *([] if is_unenrolled(record) else [Unenroll()]))
    if is_changing(record):
        return (*waiting, *_changing(record, now=now, is_free=not waiting, policy=policy))
    if is_goal_met(record):
        return tuple(waiting)
    prepare = [Prepare(sample.recording_id) for sample in by_state.get(SampleState.PLANNED, [])]
    ready = [] if waiting else by_state.get(SampleState.READY, [])
    worn_out = [sample for sample in ready if _is_worn_out(sample, policy=policy)]
    fresh = [sample for sample in ready if sample not in worn_out]
    parks = [_worn_out(sample) for sample in worn_out]
    submit = [_submit(max(fresh, key=_worth), now=now)] if fresh else []
    return (*waiting, *parks, *prepare, *submit)


def _changing(record: Record, *, now: datetime, is_free: bool, policy: Policy) -> list[Step]:
    """What to do before the enrollment at the API can be made anew: attempts end first, and a sample is ready.

    A deletion whose end is not known is begun again once the API has had as long as for an answer.
    """
    if is_removing(record) and record.era:
        return [Renew(record.era + policy.answer_deadline)]
    new = [] if must_remove(record) else replacing(record)
    planned = [one.recording_id for one in new or record.samples if sample_state(one) is SampleState.PLANNED]
    is_ready = must_remove(record) or len(planned) < len(new)
    return [*map(Prepare, planned), *([Renew(now)] if is_ready and is_free else [])]


def due_at(record: Record, *, now: datetime, policy: Policy) -> datetime | None:
    """When the sweep must look at the record again; None when it is settled."""
    steps = next_steps(record, now=now, policy=policy)
    times = [
        max(step.at, now)
        if isinstance(step, LookUp) or (isinstance(step, Renew) and step.at > now)
        else now + _JOB_CHECK
        for step in steps
    ]
    return min(times, default=None)


def retry_delay(failures: int, *, is_outage: bool = False) -> timedelta:
    """How long to wait after so many attempts that did not reach their aim."""
    return min(_RETRY_FIRST * (1 << min(max(failures - 1, 0), 10)), _OUTAGE_CAP if is_outage else _RETRY_CAP)


def _worth(sample: Sample) -> tuple[bool, int, float, float]:
    """The one that left no trace first, then the least tried, then the one that promises most, then with most speech.

    What left no trace may be on its way still. If it counts while another sample is out, its seconds pass for that
    one's; its own repetition can't be mistaken.
    """
    left_no_trace = any(attempt.answer and attempt.answer.code == NO_TRACE for attempt in sample.attempts)
    measures = sample.clip.measures if sample.clip else None
    promised = (measures.score or 0.0, measures.speech_s) if measures else (0.0, 0.0)
    return (left_no_trace, -len(sample.attempts), *promised)


def _submit(sample: Sample, *, now: datetime) -> Submit:
    answers = [attempt.answer for attempt in sample.attempts if attempt.answer]
    if not answers:
        return Submit(sample.recording_id, now)
    last = max(answers, key=lambda answer: answer.at)
    return Submit(sample.recording_id, last.at + retry_delay(len(answers), is_outage=last.code in _OUTAGES))


def _is_worn_out(sample: Sample, *, policy: Policy) -> bool:
    """Whether it was tried often enough, or for long enough while the API was away."""
    answers = [attempt.answer for attempt in sample.attempts if attempt.answer]
    if sum(answer.code not in _OUTAGES for answer in answers) >= policy.max_attempts:
        return True
    began = [attempt.started_at for attempt in sample.attempts if attempt.started_at]
    return bool(began and answers) and max(answer.at for answer in answers) - min(began) >= policy.give_up


def _worn_out(sample: Sample) -> Park:
    last = sample.attempts[-1].answer
    why = f"; the last one: {last.code}: {last.message}" if last else ""
    message = f"{len(sample.attempts)} attempts, none reached the API's answer{why}; hand the recording in again later"
    return Park(sample.recording_id, "attempts_exhausted", message)


def _wait(sample: Sample, *, now: datetime, policy: Policy) -> Step:
    """Look up at the deadline, then at twice, four times, ... its length; give up in the end."""
    attempt = sample.open_attempt
    if attempt is None:
        raise AssertionError(sample.recording_id)
    started = attempt.started_at or attempt.accepted_at or now
    if now - started >= policy.give_up:
        hours = policy.give_up.total_seconds() / 3600
        length_s = sample.clip.measures.duration_s if sample.clip else 0.0
        message = (
            f"no answer in {hours:.0f} h and the API can't tell: it held {attempt.before_s:.1f} s before the attempt, "
            f"the sample is {length_s:.1f} s long; compare with the API's enrollment by hand"
        )
        return Park(sample.recording_id, "no_answer", message)
    wait = policy.answer_deadline
    while started + wait <= now:
        wait *= 2
    is_overdue = now - started >= policy.answer_deadline
    return LookUp(sample.recording_id, attempt, is_overdue, min(started + wait, started + policy.give_up))


def next_verb(record: Record, sample: Sample) -> Verb:
    """Which call the sample's next attempt makes.

    What the API said last counts most: `exists` (409) turns a create into an update, `not_enrolled` (404) back.
    """
    said = [attempt.answer.code for attempt in sample.attempts if attempt.answer]
    match said[-1:]:
        case ["exists"]:
            return Verb.PATCH
        case ["not_enrolled"]:
            return Verb.POST
        case _:
            return Verb.PATCH if record.enrollment else Verb.POST
