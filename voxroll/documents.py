"""The documents of speakers and callbacks as the front door sends them, read into frozen models.

Unknown fields are kept, so that `--json` shows what a newer front door adds. Wire names (camelCase) end here.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

_OPEN = frozenset({"planned", "ready", "submitting"})


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)

    def wire(self) -> dict[str, Any]:
        """The document as it came, JSON-ready."""
        return self.model_dump(mode="json", by_alias=True)


class Attempt(_Document):
    """One call that handed a sample in, and how its answer came."""

    attempt_id: str = ""
    verb: str | None = None
    started_at: datetime | None = None
    job_id: str | None = None
    accepted_at: datetime | None = None
    answered_at: datetime | None = None
    outcome: str | None = None
    code: str | None = None
    via: str | None = None


class Sample(_Document):
    """One recording and the sample that was, or was not, cut from it."""

    recording_id: str = ""
    source: str
    state: str
    outcome: str | None = None
    code: str | None = None
    message: str | None = None
    value: float | None = None
    limit: float | None = None
    stretch: dict[str, Any] | None = None
    language: str | None = None
    recipe: dict[str, Any] | None = None
    measures: dict[str, Any] | None = None
    conflict: dict[str, Any] | None = None
    attempts: tuple[Attempt, ...] = ()


class Speaker(_Document):
    """All that is known of one speaker."""

    speaker_id: str
    state: str
    settled: bool
    enrollment_complete: bool = False
    enrollment_quality: str | None = None
    total_speech_duration: float = 0.0
    total_enroll_duration: float = 0.0
    updated_at: datetime | None = None
    samples: tuple[Sample, ...] = ()
    next: str | None = None

    def applied(self) -> int:
        """How many samples the enrollment is made of."""
        return sum(sample.state == "applied" for sample in self.samples)

    def finished(self) -> int:
        """How many recordings nothing more is done about."""
        return sum(self.settled or sample.state not in _OPEN for sample in self.samples)

    def unused(self) -> list[Sample]:
        """The samples that were turned down, by us or by the API, set aside, or held for a person."""
        return [sample for sample in self.samples if sample.state in {"rejected", "refused", "parked", "held"}]


class Standing(_Document):
    """Where a speaker stands, in a few words."""

    speaker_id: str
    state: str
    enrollment_complete: bool = False
    goal_met: bool = False
    total_speech_duration: float = 0.0
    doubts: tuple[str, ...] = ()


class Callback(_Document):
    """One callback that came to webhookUrl; headers and body where one was asked for."""

    callback_id: str
    received_at: datetime
    verdict: str
    speaker_id: str = ""
    recording_id: str = ""
    attempt_id: str = ""
    body_bytes: int = 0
    headers: dict[str, str] = {}
    body: str = ""


class Event(_Document):
    """One thing that happened."""

    id: str
    type: str
    time: datetime
    speaker_id: str | None = None
    sequence: int | None = None
    data: dict[str, Any] = {}
    test: bool = False


class Health(_Document):
    """How an endpoint does."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    forgotten: int = 0
    failing: int = 0
    speakers_waiting: int = 0
    last_answer: str | None = None
    last_tried_at: datetime | None = None
    events_waiting: int = 0
    missed_before: datetime | None = None


class Endpoint(_Document):
    """Where events are posted to; `secret` is there once, right after it was made."""

    endpoint_id: str
    url: str
    types: tuple[str, ...] = ()
    full: bool = False
    description: str = ""
    disabled: str | None = None
    secret: str | None = None
    health: Health = Health()


class Trace(_Document):
    """One event, where it came from and where it goes."""

    event: Event
    told_with: tuple[dict[str, Any], ...] = ()
    sample: Sample | None = None
    callbacks: tuple[dict[str, Any], ...] = ()
    speaker: dict[str, Any] | None = None
    endpoints: tuple[dict[str, Any], ...] = ()


class Rows(_Document):
    """Rows of a batch's manifest; `read` is the sum of what follows it."""

    total: int | None = None
    read: int = 0
    taken: int = 0
    bad: int = 0
    skipped: int = 0
    blocked: int = 0


class Batch(_Document):
    """Many rows that were handed in at once."""

    batch_id: str
    name: str = ""
    state: str
    why: str | None = None
    created_at: datetime
    changed_at: datetime
    until: datetime | None = None
    budget: int | None = None
    rows: Rows
    speakers: dict[str, int] = {}
    calls: int = 0

    @property
    def is_working(self) -> bool:
        """Whether the server is at it."""
        return self.state in {"validating", "in_progress", "cancelling", "rolling_back"}

    @property
    def is_resting(self) -> bool:
        """Whether it may be resumed."""
        return self.state in {"paused", "expired"}

    def under_way(self) -> int:
        """Speakers that are not settled."""
        return self.speakers.get("planned", 0) + self.speakers.get("enrolling", 0)
