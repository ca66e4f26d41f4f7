"""The front door's HTTP API as an OpenAPI 3.1 document, made from the models: `GET /openapi.json`, and a page of it.

One row per route; the tests hold the rows against the routes, and what the document says against a running front door.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from webhook import endpoints, enrollments, events, schemas
from webhook.access import needs_key, scope_of
from webhook.reference import page
from worker.contract.events import CATALOGUE, EventDocument
from worker.contract.speaker import SpeakerDocument
from worker.enrollment.record import Quality
from worker.enrollment.states import SpeakerState

_REF = "#/components/schemas/{model}"
_JSON, _PROBLEM, _STREAM = "application/json", "application/problem+json", "text/event-stream"
_TEXT: dict[str, Any] = {"type": "string"}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_SPEAKER: dict[str, Any] = {"type": "string", "pattern": "^[a-zA-Z0-9_]{1,128}$"}
_EVENT: dict[str, Any] = {"type": "string", "pattern": "^evt_[0-9]{1,19}-[0-9]{1,19}$"}
_KEY: dict[str, Any] = {"type": "string", "pattern": "^[ -~]{1,255}$"}
_LIMIT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 500}
_SAYS = {
    200: "Done.",
    201: "Made.",
    202: "Written down; it is worked on.",
    204: "Removed.",
    400: "The callback is no result.",
    401: "A key is needed, or it is no good.",
    403: "The key has not the scope, or the callback's token is no good.",
    404: "There is none.",
    408: "The body came too slowly.",
    409: "Not as things stand.",
    410: "Erased, or forgotten.",
    413: "Too large.",
    415: "Not in this form.",
    422: "What is asked will not do.",
    503: "Redis is not there, or too many wait; Retry-After says when to try again.",
}


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
_ONE_ENDPOINT, _ONE_CALLBACK = "/v1/endpoints/{endpoint_id}", "/v1/callbacks/{callback_id}"

OPERATIONS = (
    Operation(
        verb="post",
        path="/v1/enrollments",
        name="enroll",
        summary="Hand in recordings of one speaker, by source or as files.",
        takes={_JSON: enrollments.EnrollmentRequest, "multipart/form-data": schemas.Upload},
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
        verb="get",
        path="/v1/events",
        name="listEvents",
        summary="Events, by page; as server-sent events where `text/event-stream` is accepted.",
        query=(
            ("types", _TEXT),
            ("speaker", _SPEAKER),
            ("after", _EVENT),
            ("before", _EVENT),
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
        takes={_JSON: events.Trial},
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
        takes={_JSON: endpoints.NewEndpoint},
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
        takes={_JSON: endpoints.Rotation},
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
        takes={_JSON: endpoints.Replay},
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
            ("speaker", _TEXT),
            ("verdict", _TEXT),
            ("refused", _FLAG),
            ("limit", _LIMIT),
            ("before", _TEXT),
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


async def serve(_request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    return web.json_response(document())


async def reference(_request: web.Request) -> web.Response:
    """`GET /docs`: the same for people."""
    return web.Response(text=page(document()), content_type="text/html")


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.verb] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Voxroll", "version": version("voxroll"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "webhooks": {kind: _webhook(kind, known.says) for kind, known in CATALOGUE.items()},
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "vxk_..."}},
        },
    }


def _schemas() -> dict[str, Any]:
    asked = {model for one in OPERATIONS for model in (one.takes or {}).values()}
    told = {model for one in OPERATIONS for model in one.answers.values() if model} | {_P}
    _, found = models_json_schema(
        [*((model, "validation") for model in asked), *((model, "serialization") for model in told)],
        by_alias=True,
        ref_template=_REF,
    )
    return dict(sorted(found["$defs"].items()))


def _operation(one: Operation) -> dict[str, Any]:
    needs = needs_key(one.verb.upper(), one.path)
    answers = {**one.answers, 503: one.answers.get(503, _P), **({401: _P, 403: _P} if needs else {})}
    answers |= {409: _P, 422: _P} if one.verb == "post" and needs else {}  # of the Idempotency-Key
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "security": [{"key": []}] if needs else [],
        "parameters": [*_path_parameters(one), *(_query(name, schema) for name, schema in one.query)],
        "responses": {str(status): _answer(one, status, model) for status, model in sorted(answers.items())},
    }
    if needs:
        told["description"] = (
            f"Takes a key with the scope `{scope_of(one.verb.upper(), one.path)}` where keys are asked for."
        )
    if one.verb == "post" and needs:
        told["parameters"].append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": _KEY})
    if one.takes:
        content = {kind: {"schema": _ref(model)} for kind, model in one.takes.items()}
        told["requestBody"] = {"required": True, "content": content}
    return told


def _path_parameters(one: Operation) -> list[dict[str, Any]]:
    names = [part.strip("{}") for part in one.path.split("/") if part.startswith("{")]
    known = {"speaker_id": _SPEAKER, "event_id": _EVENT}
    return [{"name": name, "in": "path", "required": True, "schema": known.get(name, _TEXT)} for name in names]


def _query(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _answer(one: Operation, status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    told: dict[str, Any] = {"description": _SAYS[status]}
    if model:
        content = {_PROBLEM if model is _P else _JSON: {"schema": _ref(model)}}
        if one.streams and status == web.HTTPOk.status_code:
            content[_STREAM] = {"schema": _TEXT}
        told["content"] = content
    return told


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _webhook(kind: str, says: str) -> dict[str, Any]:
    return {
        "post": {
            "operationId": kind,
            "summary": says,
            "requestBody": {"required": True, "content": {_JSON: {"schema": _ref(EventDocument)}}},
            "responses": {"200": {"description": "Any 2xx: taken. 410: send nothing more. Else it is sent again."}},
        }
    }
