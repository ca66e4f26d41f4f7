"""What the front door answers of batches, as models for its own description."""

from datetime import datetime

from pydantic import Field

from webhook.schemas import Wire
from worker.enrollment.record import Quality
from worker.enrollment.states import SpeakerState
from worker.store.batches import OnExisting, State


class BatchGoal(Wire):
    """When a speaker of the batch needs no further sample."""

    quality: Quality
    samples: int


class BatchManifest(Wire):
    """What was handed in."""

    kind: str
    bytes: int
    sha256: str


class BatchRows(Wire):
    """Rows of the manifest; those read add up."""

    total: int | None = Field(description="Not known until they are counted.")
    read: int
    taken: int
    bad: int
    skipped: int
    blocked: int


class Batch(Wire):
    """Many rows that were handed in at once."""

    batch_id: str
    name: str
    state: State
    why: str | None
    created_at: datetime
    changed_at: datetime
    on_existing: OnExisting
    goal: BatchGoal
    until: datetime | None
    budget: int | None
    manifest: BatchManifest
    rows: BatchRows
    speakers: dict[SpeakerState, int] = Field(description="How many of its speakers stand where.")
    calls: int = Field(description="Spent on its speakers so far.")


class BatchesPage(Wire):
    """Some batches, the newest first."""

    batches: list[Batch]
    next: str | None = Field(description="Goes into `cursor`.")


class BatchUpload(Wire):
    """A manifest as a file, and the options as parts of their own."""

    manifest: str = Field(json_schema_extra={"format": "binary"})
    folder: str | None = Field(None, description="That paths count from: an absolute path, or one of a bucket.")
    name: str | None = None
    on_existing: OnExisting | None = None
    quality: Quality | None = None
    samples: int | None = None
    until: datetime | None = None
    budget: int | None = None
