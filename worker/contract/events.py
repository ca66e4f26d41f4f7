"""Events as they go out: one catalogue, one envelope, a JSON Schema for each type.

Thin by default: names, seconds, grades and codes; on request the whole document of the speaker comes along. Never audio
and never a voiceprint.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from worker.contract.speaker import SpeakerDocument
from worker.enrollment.record import Quality

PREFIX = "evt_"


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class Nothing(_Wire):
    """The type says it all."""


class SampleData(_Wire):
    """One sample of the speaker."""

    recording_id: str
    source: str = Field(description="The recording's name, as it was handed in.")
    code: str | None = Field(description="Why, where there is a reason.")


class ConflictData(_Wire):
    """Two voices that may be one, or one that may be another's."""

    recording_id: str
    other_speaker_id: str
    score: float = Field(description="Cosine of the two voices, -1 to 1.")
    threshold: float = Field(description="From which on two voices are taken for one.")


class ProgressData(_Wire):
    """What the API holds of the speaker now."""

    total_speech_duration: float = Field(description="Seconds of speech in all samples.")
    enrollment_quality: Quality | None


class RefusedData(_Wire):
    """Callbacks that were refused lately."""

    verdict: str = Field(description="Why: the code of the refusal.")
    count: int = Field(description="So many, since the last event of this verdict.")


class RowsData(_Wire):
    """Rows of a manifest; `read` is the sum of those behind it."""

    total: int | None = Field(description="Null until they are counted.")
    read: int
    taken: int
    bad: int = Field(description="That can't be read, or were refused.")
    skipped: int = Field(
        description="Rejected by a person, or whose speaker was enrolled before, where that was asked for."
    )
    blocked: int = Field(description="Without consent, or of speakers who were erased.")


class SpeakersData(_Wire):
    """Speakers of a batch by state."""

    planned: int
    enrolling: int
    complete: int
    incomplete: int
    failed: int
    withdrawn: int = 0
    erased: int


class BatchData(_Wire):
    """What a batch has come to."""

    batch_id: str
    name: str
    state: str
    rows: RowsData
    speakers: SpeakersData
    calls: int = Field(description="Submissions so far.")


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of the catalogue."""

    says: str
    data: type[_Wire]

    def read(self, told: dict[str, Any] | None) -> dict[str, Any]:
        """Data of this type as it is kept; what is left out is an example's.

        Raises:
            ValidationError: it doesn't fit the type.
        """
        return self.data.model_validate(EXAMPLES[self.data] | (told or {})).model_dump(mode="json", by_alias=True)


CATALOGUE = {
    "enrollment.started": Kind("The first sample of the speaker was handed in.", Nothing),
    "enrollment.improved": Kind("The API holds more or better speech than before.", ProgressData),
    "enrollment.completed": Kind("The enrollment is complete: there is enough speech.", ProgressData),
    "enrollment.settled": Kind("The goal is met; nothing more is handed in.", Nothing),
    "enrollment.incomplete": Kind("Nothing is left to hand in, and the enrollment is not complete.", Nothing),
    "enrollment.failed": Kind("Not one sample could be used.", Nothing),
    "enrollment.removed": Kind(
        "What the API holds is deleted, as some of it counts no more; the rest follows.", Nothing
    ),
    "enrollment.withdrawn": Kind("All that was handed in was rolled back; the speaker may be enrolled again.", Nothing),
    "sample.ready": Kind("A recording was measured and holds a sample; no call was spent on it yet.", SampleData),
    "sample.held": Kind("A sample waits for a person's decision.", SampleData),
    "sample.rejected": Kind("A recording will not do; no call was spent on it.", SampleData),
    "sample.refused": Kind("The API refused a sample.", SampleData),
    "sample.applied": Kind("The API applied a sample.", SampleData),
    "sample.parked": Kind("A sample was set aside; it needs a look.", SampleData),
    "speaker.conflict_suspected": Kind("The voice may be another speaker's.", ConflictData),
    "speaker.erased": Kind("The speaker is forgotten for good.", Nothing),
    "batch.progressed": Kind("A batch got on: every ten seconds at most, or by 5 % of its rows.", BatchData),
    "batch.completed": Kind("A batch ended: all its rows were read, and all its speakers are settled.", BatchData),
    "callback.refused": Kind("Callbacks came that prove nothing: forged, foreign, expired, unreadable.", RefusedData),
}


EXAMPLES: dict[type[_Wire], dict[str, Any]] = {
    Nothing: {},
    SampleData: {"recordingId": "0123456789abcdef", "source": "monday.wav", "code": None},
    ConflictData: {"recordingId": "0123456789abcdef", "otherSpeakerId": "ben", "score": 0.81, "threshold": 0.62},
    ProgressData: {"totalSpeechDuration": 42.5, "enrollmentQuality": "High"},
    BatchData: {
        "batchId": "bat_0123456789abcdef",
        "name": "calls.csv",
        "state": "in_progress",
        "rows": {"total": 9, "read": 6, "taken": 5, "bad": 1, "skipped": 0, "blocked": 0},
        "speakers": {"planned": 1, "enrolling": 1, "complete": 1, "incomplete": 0, "failed": 0, "erased": 0},
        "calls": 3,
    },
    RefusedData: {"verdict": "callback_forged", "count": 1},
}


class EventDocument(_Wire):
    """The envelope of every event."""

    id: str = Field(description="Names the event for good; deliver it as often as you like, apply it once.")
    type: str
    time: datetime
    speaker_id: str | None = None
    sequence: int | None = Field(None, description="Counts the events of this speaker from 1, without a gap.")
    data: dict[str, Any]
    speaker: dict[str, Any] | None = Field(None, description="The speaker's document as it is now, where asked for.")
    test: bool = Field(False, description="Nothing happened: somebody tries the way.")

    def to_wire(self) -> dict[str, Any]:
        """JSON-ready; what is not there is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the events of one type.

    Raises:
        KeyError: no such type.
    """
    known = CATALOGUE[kind]
    model = create_model(
        kind.title().replace(".", "").replace("_", ""),
        __base__=EventDocument,
        __doc__=known.says,
        type=(str, Field(json_schema_extra={"const": kind})),
        data=(known.data, ...),
        speaker=(SpeakerDocument | None, None),
    )
    found = model.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def fits(kind: str, patterns: Iterable[str]) -> bool:
    """Whether a type is one of those asked for: a name, or one with stars (`enrollment.*`); none asks for all."""
    wanted = tuple(patterns)
    return not wanted or any(fnmatchcase(kind, pattern) for pattern in wanted)


def unknown(patterns: Iterable[str]) -> list[str]:
    """Patterns that no type of the catalogue fits."""
    return [pattern for pattern in patterns if not any(fnmatchcase(kind, pattern) for kind in CATALOGUE)]
