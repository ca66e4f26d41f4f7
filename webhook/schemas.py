"""What the front door answers, as models for its own description; what is asked of it stands beside the handlers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from worker.contract.events import EventDocument
from worker.contract.speaker import SampleDocument, SpeakerDocument
from worker.contract.standing import StandingDocument
from worker.enrollment.record import Quality
from worker.enrollment.states import SpeakerState


class Wire(BaseModel):
    """Names as they are on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Problem(Wire):
    """An error (RFC 9457)."""

    type: str = Field(pattern="^urn:voxroll:problem:")
    title: str
    status: int
    code: str = Field(description="Stable; what programs should look at.")
    detail: str = Field(description="What was found, the limit, and the way out.")


class StillNamed(Wire):
    """Where the id of an erased speaker stands until it is forgotten by itself."""

    batches: list[str] = Field(
        description="Through which the speaker came; the id is taken out of their manifests once they have ended."
    )
    manifests_until: datetime = Field(
        description="Rows of other batches that were not taken are found and emptied one batch after the other, within "
        "hours; at the latest they are forgotten by then, or so long after their end if they are at work."
    )
    callbacks_until: datetime = Field(description="Raw callbacks that came by now are forgotten by then.")


class Erased(SpeakerDocument):
    """The receipt of an erasure."""

    still_named: StillNamed


class SpeakersPage(Wire):
    """Some speakers, and where the next page begins."""

    speakers: list[SpeakerDocument]
    next: str | None = Field(description="Goes into `cursor`.")


class Standings(Wire):
    """How those of the speakers stand that are known."""

    speakers: list[StandingDocument]


class EventsPage(Wire):
    """Some events, and where the next page begins."""

    events: list[EventDocument]
    next: str | None = Field(description="Goes into `after` or `before`.")


class EventType(Wire):
    """One type of the catalogue."""

    type: str
    says: str
    schema_: dict[str, Any] = Field(alias="schema")


class EventTypes(Wire):
    """The catalogue."""

    types: list[EventType]


class ToldWith(Wire):
    """Another event of the same change."""

    id: str
    type: str
    sequence: int | None


class TracedCallback(Wire):
    """A callback of the sample: what was read in it, and what was made of it."""

    callback_id: str
    received_at: datetime
    verdict: str
    attempt_id: str
    body_bytes: int
    says: dict[str, Any] | None
    decision: str


class TracedSpeaker(Wire):
    """How the speaker stands now."""

    state: SpeakerState
    enrollment_complete: bool
    enrollment_quality: Quality | None


class TracedEndpoint(Wire):
    """How an endpoint fares with the event; `before`: so many of its speaker go out first."""

    endpoint_id: str
    url: str
    state: Literal["not_asked_for", "older_than_endpoint", "in_the_stream", "waiting", "delivered", "given_up"]
    before: int | None = None
    tries: int
    next_try_at: datetime | None


class Trace(Wire):
    """One event, where it came from and where it goes."""

    event: EventDocument
    told_with: list[ToldWith]
    sample: SampleDocument | None
    callbacks: list[TracedCallback]
    speaker: TracedSpeaker | None
    endpoints: list[TracedEndpoint]


class Roster(Wire):
    """Ids that identify takes."""

    speaker_ids: list[str]
    next: str | None = Field(description="Goes into `cursor`.")


class Shortlist(Wire):
    """Who may be the people in a recording."""

    shortlist_id: str
    state: Literal["working", "done", "failed"]
    voices: int = Field(description="How many people were heard; one who is on two channels counts twice.")
    speaker_ids: list[str] = Field(description="The likeliest first; whether they are the people is not said.")
    code: str | None = Field(description="Why the recording will not do, as for a sample or a source.")
    message: str | None


class EndpointHealth(Wire):
    """How an endpoint does."""

    delivered: int
    failed: int
    given_up: int
    forgotten: int
    failing: int
    speakers_waiting: int
    last_answer: str | None
    last_tried_at: datetime | None
    events_waiting: int = Field(description="In lanes; what comes while 100,000 do waits in the stream.")
    missed_before: datetime | None = Field(
        description="Events before this time were forgotten by the stream before their turn came: read the speakers."
    )


class Endpoint(Wire):
    """Where events are posted to."""

    endpoint_id: str
    url: str
    types: list[str]
    full: bool
    description: str
    created_at: datetime | None = Field(description="Null where its document can't be read, which `disabled` tells.")
    disabled: str | None
    secrets: int
    health: EndpointHealth


class EndpointMade(Endpoint):
    """With the secret, which is not shown again."""

    secret: str


class Endpoints(Wire):
    """All of them."""

    endpoints: list[Endpoint]


class Replayed(Wire):
    """So many events are on their way once more."""

    endpoint_id: str
    events: int


class Callback(Wire):
    """A callback that came to webhookUrl."""

    callback_id: str
    received_at: datetime
    verdict: str
    speaker_id: str
    recording_id: str
    attempt_id: str
    body_bytes: int


class CallbackContent(Callback):
    """With what it said."""

    headers: dict[str, str]
    body: str
    body_base64: str


class CallbacksPage(Wire):
    """Some callbacks, newest first."""

    callbacks: list[Callback]
    next: str | None = Field(description="Goes into `before`.")


class Health(Wire):
    """The process lives."""

    status: Literal["ok"]


class Readiness(Wire):
    """It can do its work, or what is missing."""

    ready: bool
    checks: dict[str, str]


class Nothing(Wire):
    """Taken."""


class Upload(Wire):
    """Recordings as files: the part `speakerId` comes first."""

    speaker_id: str
    batch: str | None = None
    recording: list[str] = Field(min_length=1, json_schema_extra={"items": {"type": "string", "format": "binary"}})
