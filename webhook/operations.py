"""The rows of the front door's own description: one per route."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from webhook import batches, endpoints, enrollments, events, schemas
from worker.contract.events import EventDocument
from worker.contract.speaker import SpeakerDocument
from worker.enrollment.record import Quality
from worker.enrollment.states import SpeakerState

JSON = "application/json"
TEXT: dict[str, Any] = {"type": "string"}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_FLAG: dict[str, Any] = {"type": "boolean"}
SPEAKER: dict[str, Any] = {"type": "string", "pattern": "^[a-zA-Z0-9_]{1,128}$"}
EVENT: dict[str, Any] = {"type": "string", "pattern": "^evt_[0-9]{1,19}-[0-9]{1,19}$"}
_LIMIT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: a verb on a path, what it takes and what it may answer (status to model)."""

    verb: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    takes: Mapping[str, type[BaseModel]] | None = None
    query: Sequence[tuple[str, Mapping[str, Any]]] = ()
    streams: bool = False


def _enum(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


_P = schemas.Problem
_ONE_SPEAKER, _RECORDING = "/v1/speakers/{speaker_id}", "/v1/speakers/{speaker_id}/recordings/{recording_id}"
_ONE_BATCH = "/v1/batches/{batch_id}"
_ONE_ENDPOINT, _ONE_CALLBACK = "/v1/endpoints/{endpoint_id}", "/v1/callbacks/{callback_id}"

OPERATIONS = (
    Operation(
        verb="post",
        path="/v1/enrollments",
        name="enroll",
        summary="Hand in recordings of one speaker, by source or as files.",
        takes={JSON: enrollments.EnrollmentRequest, "multipart/form-data": schemas.Upload},
        answers={202: SpeakerDocument, 403: _P, 404: _P, 408: _P, 409: _P, 410: _P, 413: _P, 415: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/speakers",
        name="listSpeakers",
        summary="Speakers, the latest change first.",
        query=(
            ("state", _enum(*SpeakerState)),
            ("quality", _enum(*Quality)),
            ("batch", {"type": "string", "pattern": "^[a-zA-Z0-9_.-]{1,64}$"}),
            ("changedAfter", _TIME),
            ("changedBefore", _TIME),
            ("limit", _LIMIT),
            ("cursor", {"type": "string", "pattern": "^[0-9]{1,16}-.*$"}),
        ),
        answers={200: schemas.SpeakersPage, 422: _P},
    ),
    Operation(
        verb="get",
        path=_ONE_SPEAKER,
        name="getSpeaker",
        summary="One speaker: state, quality, each sample, each attempt, what next.",
        answers={200: SpeakerDocument, 404: _P, 422: _P},
    ),
    Operation(
        verb="post",
        path=f"{_ONE_SPEAKER}/retry",
        name="retrySpeaker",
        summary="Try again what failed for a reason that may have passed.",
        answers={202: SpeakerDocument, 409: _P, 410: _P},
    ),
    Operation(
        verb="delete",
        path=_ONE_SPEAKER,
        name="eraseSpeaker",
        summary="Forget a speaker for good, known or not.",
        answers={202: SpeakerDocument, 422: _P},
    ),
    *(
        Operation(
            verb="post",
            path=f"{_RECORDING}/{what}",
            name=f"{what}Recording",
            summary=f"Decide of a held sample: {says}.",
            answers={202: SpeakerDocument, 404: _P, 409: _P, 422: _P},
        )
        for what, says in (("accept", "it is handed in after all"), ("reject", "it is never handed in"))
    ),
    Operation(
        verb="post",
        path="/v1/batches",
        name="addBatch",
        summary="Hand in many rows, as JSON or as a manifest; the same again is the same batch.",
        takes={JSON: batches.Rows, "multipart/form-data": schemas.BatchUpload},
        answers={200: schemas.Batch, 202: schemas.Batch, 408: _P, 413: _P, 415: _P},
    ),
    Operation(
        verb="get",
        path="/v1/batches",
        name="listBatches",
        summary="Batches, the newest first.",
        query=(("limit", _LIMIT | {"maximum": 100}), ("cursor", {"type": "string", "pattern": "^[0-9]{1,9}$"})),
        answers={200: schemas.BatchesPage, 422: _P},
    ),
    Operation(
        verb="get",
        path=_ONE_BATCH,
        name="getBatch",
        summary="How a batch gets on.",
        answers={200: schemas.Batch, 404: _P},
    ),
    *(
        Operation(
            verb="post",
            path=f"{_ONE_BATCH}/{what}",
            name=f"{what}Batch",
            summary=says,
            takes={JSON: batches.Bounds} if what == "resume" else None,
            answers={202: schemas.Batch, 404: _P, 408: _P, 413: _P},
        )
        for what, says in (
            ("pause", "Take no more rows in for now."),
            ("resume", "Go on where it stopped."),
            ("cancel", "Take no more rows in, ever."),
            ("rollback", "Undo it: what it handed in counts no more. Refused while it runs."),
        )
    ),
    *(
        Operation(
            verb="get",
            path=f"{_ONE_BATCH}/{name}",
            name=name.replace(".", "_"),
            summary=says,
            answers={200: None, 404: _P},
        )
        for name, says in (
            ("report.csv", "What it came to, one row per person."),
            ("report.jsonl", "The same as JSON lines."),
            ("rerun.jsonl", "A manifest of the rows that can succeed if they are tried again."),
            ("rollback.jsonl", "What undoing it would come to, a line for each speaker, with the calls it takes."),
        )
    ),
    Operation(
        verb="get",
        path="/v1/events",
        name="listEvents",
        summary="Events, by page; as server-sent events where `text/event-stream` is accepted.",
        query=(
            ("types", TEXT),
            ("speaker", SPEAKER),
            ("after", EVENT),
            ("before", EVENT),
            ("since", _TIME),
            ("full", _FLAG),
            ("limit", _LIMIT),
        ),
        answers={200: schemas.EventsPage, 410: _P, 422: _P},
        streams=True,
    ),
    Operation(
        verb="post",
        path="/v1/events",
        name="triggerEvent",
        summary="Have an event told in which nothing happened, to try who listens.",
        takes={JSON: events.Trial},
        answers={202: EventDocument, 408: _P, 409: _P, 413: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/events/{event_id}",
        name="getEvent",
        summary="One event.",
        answers={200: EventDocument, 404: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/event-types",
        name="listEventTypes",
        summary="The catalogue of events, with a JSON Schema for each type.",
        answers={200: schemas.EventTypes},
    ),
    Operation(
        verb="post",
        path="/v1/endpoints",
        name="addEndpoint",
        summary="Have events posted to a URL; the secret that signs them is shown this once.",
        takes={JSON: endpoints.NewEndpoint},
        answers={201: schemas.EndpointMade, 408: _P, 409: _P, 413: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/endpoints",
        name="listEndpoints",
        summary="Where events are posted to, and how each does.",
        answers={200: schemas.Endpoints},
    ),
    Operation(
        verb="get",
        path=_ONE_ENDPOINT,
        name="getEndpoint",
        summary="One endpoint.",
        answers={200: schemas.Endpoint, 404: _P},
    ),
    Operation(
        verb="delete",
        path=_ONE_ENDPOINT,
        name="removeEndpoint",
        summary="Post nothing there any more, and forget what waits.",
        answers={204: None, 404: _P},
    ),
    Operation(
        verb="post",
        path=f"{_ONE_ENDPOINT}/rotate",
        name="rotateSecret",
        summary="Make another secret; for a time both sign.",
        takes={JSON: endpoints.Rotation},
        answers={200: schemas.EndpointMade, 404: _P, 408: _P, 413: _P, 422: _P},
    ),
    *(
        Operation(
            verb="post",
            path=f"{_ONE_ENDPOINT}/{what}",
            name=f"{what}Endpoint",
            summary=says,
            answers={200: schemas.Endpoint, 404: _P},
        )
        for what, says in (("enable", "Post there again, and what came meanwhile."), ("disable", "Post nothing there."))
    ),
    Operation(
        verb="post",
        path=f"{_ONE_ENDPOINT}/replay",
        name="replayEvents",
        summary="Send the events of a time once more, under the ids they had.",
        takes={JSON: endpoints.Replay},
        answers={202: schemas.Replayed, 404: _P, 408: _P, 413: _P, 422: _P},
    ),
    Operation(
        verb="post",
        path=_ONE_CALLBACK,
        name="receiveCallback",
        summary="webhookUrl: takes results of the enrollment API; the last part is the token of an attempt.",
        answers={200: schemas.Nothing, 400: _P, 403: _P, 408: _P, 413: _P},
    ),
    Operation(
        verb="get",
        path="/v1/callbacks",
        name="listCallbacks",
        summary="Callbacks as they came, newest first.",
        query=(
            ("speaker", TEXT),
            ("verdict", TEXT),
            ("refused", _FLAG),
            ("limit", _LIMIT),
            ("before", TEXT),
        ),
        answers={200: schemas.CallbacksPage, 422: _P},
    ),
    Operation(
        verb="get",
        path=_ONE_CALLBACK,
        name="getCallback",
        summary="One callback, with headers and body.",
        answers={200: schemas.CallbackContent, 404: _P},
    ),
    Operation(
        verb="post",
        path=f"{_ONE_CALLBACK}/replay",
        name="replayCallback",
        summary="Have one reconciled anew, byte for byte.",
        answers={202: schemas.Callback, 404: _P, 409: _P},
    ),
    Operation(verb="get", path="/healthz", name="health", summary="The process lives.", answers={200: schemas.Health}),
    Operation(
        verb="get",
        path="/readyz",
        name="readiness",
        summary="Whether it can do its work.",
        answers={200: schemas.Readiness, 503: schemas.Readiness},
    ),
)
