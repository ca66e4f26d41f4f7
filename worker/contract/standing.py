"""Where a speaker stands, in a few words: what a plan needs to know of many at once."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from worker.enrollment.record import Quality, Record
from worker.enrollment.states import SampleState, SpeakerState, is_goal_met, sample_state, speaker_state

QUALITIES: tuple[str, ...] = tuple(Quality)  # worst first
STATES: tuple[str, ...] = tuple(SpeakerState)


class StandingDocument(BaseModel):
    """One speaker."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    speaker_id: str
    state: SpeakerState
    enrollment_complete: bool
    goal_met: bool = Field(description="Nothing more is handed in, unless another goal is set.")
    total_speech_duration: float
    doubts: tuple[str, ...] = Field(description="Codes that say it may be somebody else: `different_voice`, ...")

    def to_wire(self) -> dict[str, Any]:
        """As JSON types with wire names."""
        return self.model_dump(mode="json", by_alias=True)


def standing_of(record: Record) -> StandingDocument:
    """Where a record stands. A sample that is held, or sounds like another speaker, is a doubt."""
    known, samples = record.enrollment, record.samples
    held = {one.held.code for one in samples if one.held and sample_state(one) is SampleState.HELD}
    alike = {"same_voice_other_id" for one in samples if one.conflict and not one.is_released}
    return StandingDocument(
        speaker_id=record.speaker_id,
        state=speaker_state(record),
        enrollment_complete=bool(known and known.complete),
        goal_met=is_goal_met(record),
        total_speech_duration=round(known.speech_s, 2) if known else 0.0,
        doubts=tuple(sorted(held | alike)),
    )
