"""Facts: what happened, each with the time it happened at. The only way into a record."""

from dataclasses import dataclass
from datetime import datetime

from worker.enrollment.record import (
    WHOLE,
    AttemptId,
    AttemptOutcome,
    Enrollment,
    Goal,
    Measures,
    Membership,
    Recipe,
    RecordingId,
    SpeakerId,
    Stretch,
    Verb,
    Via,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalSet:
    """Somebody said when this speaker is done."""

    at: datetime
    goal: Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJoined:
    """The speaker was handed in as part of a batch."""

    at: datetime
    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerErased:
    """The speaker is to be forgotten, and never enrolled again."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unenrolled:
    """The API holds no enrollment of the speaker (any more), and the object store no audio."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementOrdered:
    """What a batch hands in from now on is to take the place of all that was handed in before, once it can."""

    at: datetime
    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementBegun:
    """A sample of that batch is ready: its recordings take that place. `at` and `batch` are those of the order."""

    at: datetime
    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchUndone:
    """What a batch handed in up to then counts no more."""

    at: datetime
    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalStarted:
    """The enrollment is about to be deleted at the API, to be made anew or not at all: written before the call."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The API holds nothing any more of what was before. `at` is when the removal was started."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPlanned:
    """A recording of the speaker was handed in; `handed` says by which batch, if that is news."""

    at: datetime
    recording_id: RecordingId
    source: str
    name: str
    channel: int | None = None
    handed: Membership | None = None
    stretch: Stretch = WHOLE
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReady:
    """Preflight found a sample in the recording and stored its clip."""

    at: datetime
    recording_id: RecordingId
    recipe: Recipe
    measures: Measures
    object_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRejected:
    """Preflight found no sample in the recording."""

    at: datetime
    recording_id: RecordingId
    code: str
    message: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionStarted:
    """A call to the API is about to be made: written before the call."""

    at: datetime
    recording_id: RecordingId
    attempt_id: AttemptId
    verb: Verb
    before_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionAccepted:
    """The API took the sample and will call back."""

    at: datetime
    recording_id: RecordingId
    attempt_id: AttemptId
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An attempt ended; `enrollment` is what the API said of the speaker, if it did."""

    at: datetime
    recording_id: RecordingId
    attempt_id: AttemptId
    outcome: AttemptOutcome
    via: Via
    enrollment: Enrollment | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleParked:
    """The sample was set aside: nothing more is tried without a person."""

    at: datetime
    recording_id: RecordingId
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleHeld:
    """A sample waits for a person: by its voice it may be somebody else's. No call is made for it meanwhile."""

    at: datetime
    recording_id: RecordingId
    code: str
    message: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReleased:
    """A person accepted a held sample: it is handed in, whatever its voice is like."""

    at: datetime
    recording_id: RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDeclined:
    """A sample that was ready is not to be handed in: it is a duplicate, or a person said so of a held one."""

    at: datetime
    recording_id: RecordingId
    code: str
    message: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictSuspected:
    """Another speaker of the account sounds like this sample."""

    at: datetime
    recording_id: RecordingId
    other: SpeakerId
    score: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentSeen:
    """The API was asked what it knows of the speaker; `era` is the record's when it was asked."""

    at: datetime
    enrollment: Enrollment
    era: datetime | None = None


SampleFact = (
    RecordingPlanned
    | SampleReady
    | SampleRejected
    | SampleHeld
    | SampleReleased
    | SampleDeclined
    | ConflictSuspected
    | SubmissionStarted
    | SubmissionAccepted
    | Answered
    | SampleParked
)
Fact = (
    GoalSet
    | BatchJoined
    | ReplacementOrdered
    | ReplacementBegun
    | BatchUndone
    | RemovalStarted
    | Removed
    | EnrollmentSeen
    | SpeakerErased
    | Unenrolled
    | SampleFact
)
