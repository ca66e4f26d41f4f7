"""The engine's own contract as an OpenAPI 3.1 document, made from tables: `GET /openapi.json`.

One row per route of the engine (`operations`). What it says is tried out against a running engine by the tests, in both
directions.
"""

from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web

from engine.service import wire
from engine.service.operations import OPERATIONS, Operation
from engine.service.schemas import ID, SAMPLE_ID, SCHEMAS, TEXT, UUID, ref

_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_ALWAYS = dict.fromkeys((401, 403, 429, 500, 503), "PlatformError")
_SAYS = {
    200: "Done.",
    201: "Applied; what the enrollment has become.",
    202: "Accepted: the job can be looked up, and its result is posted to the webhook.",
    204: "Erased.",
    400: "A parameter will not do; it is named.",
    401: "No valid token.",
    403: "The token has not the scope AI.",
    404: "There is none.",
    409: "The speaker is enrolled already; add with PATCH.",
    410: "Deleted before.",
    413: "The body is larger than the engine takes.",
    429: "More calls than the limit that is set; any call in the penalty starts it anew.",
    500: "The engine failed.",
    503: "Redis or the models are not there (yet); Retry-After says when to try again.",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]+$", "maxLength": wire.KEY_CHARS_MOST},
}


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.verb] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Voxroll engine", "version": version("voxroll"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "Document": {"type": "object", "required": ["openapi", "paths"]}},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "client": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    is_api, is_oauth = one.path.startswith("/ai/"), one.path.startswith("/restapi/")
    answers = {**one.answers, **(_ALWAYS if is_api else {})}
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "security": [{"bearer": []}] if is_api else [{"client": []}] if is_oauth else [],
        "parameters": [
            *_path_parameters(one.path),
            *({"name": name, "in": "query", "required": False, "schema": schema} for name, schema in one.query),
            *([_KEY] if one.has_key else []),
        ],
        "responses": {str(status): _answer(status, name) for status, name in sorted(answers.items())},
    }
    if one.body:
        told["requestBody"] = {"required": True, "content": {_FORM if is_oauth else _JSON: {"schema": ref(one.body)}}}
    if one.told:
        told["callbacks"] = {"requestProcessed": {"{$request.query.webhook}": {"post": _callback(one.told)}}}
    return told


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schemas = {"speaker_id": ID, "job_id": UUID, "sample_id": SAMPLE_ID}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in schemas.items()
        if f"{{{name}}}" in path
    ]


def _answer(status: int, name: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": _SAYS[status],
        "headers": {"RCRequestId": {"schema": TEXT, "description": "Names this request."}},
    }
    bodies = {} if name is None else {_JSON: {"schema": ref(name)}}
    if status == web.HTTPBadRequest.status_code:
        bodies["text/plain"] = {"schema": TEXT}  # aiohttp's own, to what is no HTTP: a first line of over 8 KB
    return told | ({"content": bodies} if bodies else {})


def _callback(result: str) -> dict[str, Any]:
    """The envelope; in profile 2022 an enrollment's success is the bare EnrollmentStatus."""
    bodies = [ref("JobStatusResponse"), *([ref(result)] if result == "EnrollmentStatus" else [])]
    return {
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"anyOf": bodies}}}},
        "responses": {"200": {"description": "Accepted; anything else is sent again, five times at most."}},
    }
