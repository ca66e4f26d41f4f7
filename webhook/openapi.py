"""The front door's HTTP API as an OpenAPI 3.1 document, made from the models: `GET /openapi.json`, and a page of it.

One row per route; the tests hold the rows against the routes, and what the document says against a running front door.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from webhook import schemas
from webhook.access import needs_key, scope_of
from webhook.operation import EVENT, JSON, SPEAKER, TEXT, Operation
from webhook.operations import OPERATIONS
from webhook.reference import page
from worker.contract.events import CATALOGUE, EventDocument

_NAMED = re.compile(r"\{(\w+)\}")
_REF = "#/components/schemas/{model}"
_PROBLEM, _STREAM = "application/problem+json", "text/event-stream"
_KEY: dict[str, Any] = {"type": "string", "pattern": "^[ -~]{1,255}$"}
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
    told = {model for one in OPERATIONS for model in one.answers.values() if model} | {schemas.Problem}
    _, found = models_json_schema(
        [*((model, "validation") for model in asked), *((model, "serialization") for model in told)],
        by_alias=True,
        ref_template=_REF,
    )
    return dict(sorted(found["$defs"].items()))


def _operation(one: Operation) -> dict[str, Any]:
    needs = needs_key(one.verb.upper(), one.path)
    answers = {
        **one.answers,
        503: one.answers.get(503, schemas.Problem),
        **({401: schemas.Problem, 403: schemas.Problem} if needs else {}),
    }
    answers |= (
        {409: schemas.Problem, 422: schemas.Problem} if one.verb == "post" and needs else {}
    )  # of the Idempotency-Key
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "security": [{"key": []}] if needs else [],
        "parameters": [
            *_path_parameters(one),
            *(_optional(name, "query", schema) for name, schema in one.query),
            *(_optional(name, "header", schema) for name, schema in one.headers),
        ],
        "responses": {str(status): _answer(one, status, model) for status, model in sorted(answers.items())},
    }
    if needs:
        told["description"] = (
            f"Takes a key with the scope `{scope_of(one.verb.upper(), one.path)}` where keys are asked for."
        )
    if one.verb == "post" and needs:
        told["parameters"].append(_optional("Idempotency-Key", "header", _KEY))
    if one.takes:
        content = {kind: {"schema": _ref(model)} for kind, model in one.takes.items()}
        fields = (field for model in one.takes.values() for field in model.model_fields.values())
        told["requestBody"] = {"required": any(field.is_required() for field in fields), "content": content}
    return told


def _path_parameters(one: Operation) -> list[dict[str, Any]]:
    names = _NAMED.findall(one.path)
    known = {"speaker_id": SPEAKER, "event_id": EVENT}
    return [{"name": name, "in": "path", "required": True, "schema": known.get(name, TEXT)} for name in names]


def _optional(name: str, place: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": False, "schema": schema}


def _answer(one: Operation, status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    told: dict[str, Any] = {"description": _SAYS[status]}
    if model:
        content = {_PROBLEM if model is schemas.Problem else JSON: {"schema": _ref(model)}}
        if one.streams and status == web.HTTPOk.status_code:
            content[_STREAM] = {"schema": TEXT}
        told["content"] = content
    return told


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _webhook(kind: str, says: str) -> dict[str, Any]:
    return {
        "post": {
            "operationId": kind,
            "summary": says,
            "requestBody": {"required": True, "content": {JSON: {"schema": _ref(EventDocument)}}},
            "responses": {"200": {"description": "Any 2xx: taken. 410: send nothing more. Else it is sent again."}},
        }
    }
