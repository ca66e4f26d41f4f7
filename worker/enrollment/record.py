"""The record: what we know of one speaker, with the ledger of every sample and every attempt to submit it.

Immutable. Each field is filled by facts alone and merges the same way in whatever order they come (see `advance`), so
the states below are read off the record and stored nowhere.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

SpeakerId = NewType("SpeakerId", str)
RecordingId = NewType("RecordingId", str)
AttemptId = NewType("AttemptId", str)


class Quality(StrEnum):
    """The API's grade of an enrollment, worst first."""

    POOR = "Poor"
    AVERAGE = "Average"
    GOOD = "Good"
    HIGH = "High"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANKS[self]


_RANKS = {quality: rank for rank, quality in enumerate(Quality)}


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    APPLIED = "applied"
    REFUSED = "refused"
    NOT_APPLIED = "not_applied"


_NONE: frozenset[AttemptOutcome] = frozenset()


class Via(StrEnum):
    """How we learned of an outcome."""

    RESPONSE = "response"
    CALLBACK = "callback"
    LOOKUP = "lookup"


class Verb(StrEnum):
    """Which call an attempt makes: POST creates the enrollment, PATCH adds to it."""

    POST = "POST"
    PATCH = "PATCH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """When a speaker needs no further sample: complete and at least this good, or this many samples applied."""

    quality: Quality = Quality.HIGH
    samples: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a recording, in seconds from its beginning; without an end it reaches to the recording's."""

    start_s: float = 0.0
    end_s: float | None = None

    def shares(self, other: "Stretch") -> bool:
        """Whether any of it is in the other one too."""
        return self.start_s < _until(other) and other.start_s < _until(self)


WHOLE = Stretch()


@dataclass(frozen=True, slots=True, order=True)
class Membership:
    """The speaker, or a recording, was handed in as part of a batch; `ref` is what the caller knows the row by."""

    at: datetime
    batch: str
    ref: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Replacement:
    """A batch whose recordings are to take the place of all that were handed in before `at`; `begun`: they do."""

    at: datetime
    batch: str
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """What the API knows of the speaker: seconds of audio and of speech heard, and its grade."""

    audio_s: float
    speech_s: float
    complete: bool
    quality: Quality | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which stretch of which recording a sample is; with the policy it reproduces the very bytes."""

    source: str
    channel: int | None
    start_s: float
    end_s: float
    source_sha256: str
    sample_sha256: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What preflight measured of the sample. Units are in the names.

    `consistency` is a mean cosine; None where there is too little speech to compare. `score` is what a voiceprint
    of this sample alone is expected to score against later audio of the speaker. The last ones are None in records that
    were written before they were measured.
    """

    duration_s: float
    speech_s: float
    longest_pause_s: float
    snr_db: float
    clip_ratio: float
    level_dbfs: float
    narrow_band: bool
    consistency: float | None
    bandwidth_hz: int | None = None
    music_s: float | None = None
    tone_s: float | None = None
    voices_p10: float | None = None
    voices_parted: float | None = None
    overlap: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A sample that is ready: its recipe, its measures, and the key of its audio in the object store."""

    at: datetime
    recipe: Recipe
    measures: Measures
    object_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why a recording gives no sample: stable code, and a message with measured value, limit and way out."""

    at: datetime
    code: str
    message: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Another speaker of the account who sounds like a sample: the score of the two, and from where it is too alike."""

    at: datetime
    speaker_id: SpeakerId
    score: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one attempt ended, and how we know."""

    at: datetime
    outcome: AttemptOutcome
    via: Via
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to hand a sample in. Open while it has no answer.

    `before_s` is the enrollment's audio seconds when the attempt began: the yardstick for a doubtful end.
    """

    attempt_id: AttemptId
    started_at: datetime | None = None
    verb: Verb | None = None
    before_s: float = 0.0
    accepted_at: datetime | None = None
    job_id: str | None = None
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One recording of the speaker and the sample cut from it, if any.

    The sample is looked for in `stretch` alone; `language` is told to the API. `held` says why a person is asked,
    `released_at` and `declined` what was last decided; duplicates are declined without anybody being asked. `handed`
    says which batches handed it in, and when. `withdrawn` and which attempts are `former` (of an enrollment that was
    deleted since) follow from the record: `renewal.told_apart` says how.
    """

    recording_id: RecordingId
    source: str = ""
    name: str = ""
    channel: int | None = None
    stretch: Stretch = WHOLE
    language: str | None = None
    planned_at: datetime | None = None
    prepared: Clip | Rejection | None = None
    held: Rejection | None = None
    released_at: datetime | None = None
    declined: Rejection | None = None
    conflict: Conflict | None = None
    attempts: tuple[Attempt, ...] = ()
    parked: Rejection | None = None
    handed: tuple[Membership, ...] = ()
    withdrawn: bool = False
    former: tuple[Attempt, ...] = ()

    @property
    def clip(self) -> Clip | None:
        """The sample's clip, if preflight found one."""
        return self.prepared if isinstance(self.prepared, Clip) else None

    @property
    def is_released(self) -> bool:
        """Whether a person has accepted it, and not declined it since."""
        return self.released_at is not None and not self.is_declined

    @property
    def is_declined(self) -> bool:
        """Whether it was declined, and not accepted since."""
        return self.declined is not None and (self.released_at is None or self.declined.at >= self.released_at)

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt that waits for its answer, if any."""
        return next((attempt for attempt in self.attempts if attempt.answer is None), None)

    def outcomes(self) -> frozenset[AttemptOutcome]:
        """How its attempts ended."""
        if not self.attempts:
            return _NONE
        return frozenset(attempt.answer.outcome for attempt in self.attempts if attempt.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All we know of one speaker.

    Of one who was erased: when, when the API's enrollment was last found or made gone, and the attempts, since one that
    was under way may still be applied.

    Attributes:
        undone: batches that were rolled back, and when.
        replacements: batches whose recordings take the place of others.
        era: when the enrollment at the API was last about to be deleted, to be made anew: it begins then.
        removed: the era whose deletion is known to be done.
        enrollment_era: the era of `enrollment`.
    """

    speaker_id: SpeakerId
    goal: Goal = Goal()
    goal_at: datetime | None = None
    batches: tuple[Membership, ...] = ()
    samples: tuple[Sample, ...] = ()
    enrollment: Enrollment | None = None
    erased_at: datetime | None = None
    unenrolled_at: datetime | None = None
    undone: tuple[Membership, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    era: datetime | None = None
    removed: datetime | None = None
    enrollment_era: datetime | None = None

    @property
    def created_at(self) -> datetime | None:
        """The earliest thing known; None if nothing is."""
        return min(self._times(), default=None)

    @property
    def updated_at(self) -> datetime | None:
        """The latest thing known; None if nothing is."""
        return max(self._times(), default=None)

    def _times(self) -> Iterator[datetime]:
        answers = [attempt.answer for sample in self.samples for attempt in sample.attempts]
        known = [
            self.goal_at,
            self.erased_at,
            self.unenrolled_at,
            self.era,
            *(one.at for marks in (self.batches, self.undone, self.replacements) for one in marks),
            *(one.at for sample in self.samples for one in sample.handed),
            *(sample.planned_at for sample in self.samples),
            *(sample.released_at for sample in self.samples),
            *(one.at for sample in self.samples for one in _told(sample) if one),
            *(answer.at for answer in answers if answer),
            *(at for sample in self.samples for one in sample.attempts for at in (one.started_at, one.accepted_at)),
        ]
        return (at for at in known if at)

    def sample(self, recording_id: RecordingId) -> Sample:
        """The ledger's entry for one recording; an empty one if nothing is known yet."""
        known = (sample for sample in self.samples if sample.recording_id == recording_id)
        return next(known, Sample(recording_id=recording_id))


def _until(stretch: Stretch) -> float:
    return math.inf if stretch.end_s is None else stretch.end_s


def _told(sample: Sample) -> tuple[Clip | Rejection | Conflict | None, ...]:
    return (sample.prepared, sample.held, sample.declined, sample.conflict, sample.parked)
