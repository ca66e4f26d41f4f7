"""The engine's own contract as an OpenAPI 3.1 document, made from tables: `GET /openapi.json`.

One row per route of the engine. What it says is tried out against a running engine by the tests, in both directions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web

from engine.service import wire
from engine.service.schemas import FLAG, ID, SAMPLE_ID, SCHEMAS, TEXT, URL, UUID, Schema, ref, whole

_CAI, _PLATFORM, _OAUTH = "CaiErrorResponse", "PlatformError", "OAuthError"
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_ALWAYS = {401: _PLATFORM, 403: _PLATFORM, 429: _PLATFORM, 500: _PLATFORM, 503: _PLATFORM}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: a verb on a path, what it takes and what it may answer (status to name of schema)."""

    verb: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, str | None]
    body: str | None = None
    has_key: bool = False  # whether repeating it under the same Idempotency-Key changes nothing
    query: Sequence[tuple[str, Schema]] = ()
    told: str | None = None  # what the callback's `response` is on success


_ENROLLMENTS = "/ai/audio/v1/enrollments"
_ONE = _ENROLLMENTS + "/{speaker_id}"
_WEBHOOK = (("webhook", URL), ("webhookUrl", URL | {"description": "The same under its other name; send one."}))
_LIST = (
    ("partial", FLAG),
    ("perPage", whole(1, wire.PER_PAGE_MOST)),
    ("page", whole(1, wire.PAGES_MOST)),
)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]+$", "maxLength": wire.KEY_CHARS_MOST},
}
_ACCEPTED = "CaiAsyncApiResponse"

OPERATIONS = (
    Operation(
        verb="post",
        path=_ENROLLMENTS,
        name="caiEnrollmentsCreate",
        summary="Enroll a speaker with a first sample; with a webhook by a job, which may fetch a contentUri.",
        body="EnrollmentInput",
        has_key=True,
        query=_WEBHOOK,
        answers={201: "EnrollmentStatus", 202: _ACCEPTED, 400: _CAI, 409: _CAI, 410: _CAI, 413: _CAI},
        told="EnrollmentStatus",
    ),
    Operation(
        verb="get",
        path=_ENROLLMENTS,
        name="caiEnrollmentsList",
        summary="One page of all enrollments; without `partial` those that are complete.",
        query=_LIST,
        answers={200: "ListEnrolledSpeakers", 400: _CAI},
    ),
    Operation(
        verb="get",
        path=_ONE,
        name="caiEnrollmentsGet",
        summary="How far an enrollment is.",
        answers={200: "EnrollmentStatus", 400: _CAI, 404: _CAI},
    ),
    Operation(
        verb="patch",
        path=_ONE,
        name="caiEnrollmentsUpdate",
        summary="Add a sample to an enrollment; answers 201.",
        body="EnrollmentPatchInput",
        has_key=True,
        query=_WEBHOOK,
        answers={201: "EnrollmentStatus", 202: _ACCEPTED, 400: _CAI, 404: _CAI, 410: _CAI, 413: _CAI},
        told="EnrollmentStatus",
    ),
    Operation(
        verb="delete",
        path=_ONE,
        name="caiEnrollmentsDelete",
        summary="Erase an enrollment and its voiceprints.",
        answers={204: None, 400: _CAI, 404: _CAI, 410: _CAI},
    ),
    Operation(
        verb="get",
        path=_ONE + "/samples",
        name="voxrollSamplesList",
        summary="The samples of an enrollment, and whether each agrees with the others.",
        answers={200: "EnrollmentSamples", 400: _CAI, 404: _CAI},
    ),
    Operation(
        verb="delete",
        path=_ONE + "/samples/{sample_id}",
        name="voxrollSamplesDelete",
        summary="Take one sample out as if it had never been there; 204 where it was the last one.",
        answers={200: "EnrollmentStatus", 204: None, 400: _CAI, 404: _CAI},
    ),
    Operation(
        verb="post",
        path="/ai/audio/v1/speaker-identify",
        name="syncSpeakerIdentify",
        summary="Tell who of the named speakers speaks when, in the answer.",
        body="SyncIdentifyInput",
        answers={200: "SpeakerIdentificationObject", 400: _CAI, 413: _CAI},
    ),
    Operation(
        verb="post",
        path="/ai/audio/v1/async/speaker-identify",
        name="caiSpeakerIdentify",
        summary="Tell who of the named speakers speaks when, by a job.",
        body="IdentifyInput",
        query=_WEBHOOK,
        answers={202: _ACCEPTED, 400: _CAI, 413: _CAI},
        told="SpeakerIdentificationObject",
    ),
    Operation(
        verb="post",
        path="/ai/audio/v1/async/speaker-diarize",
        name="caiSpeakerDiarize",
        summary="Tell who speaks when, by a job; enrolled speakers that are named keep their ids.",
        body="DiarizeInput",
        query=_WEBHOOK,
        answers={202: _ACCEPTED, 400: _CAI, 413: _CAI},
        told="DiarizedObject",
    ),
    Operation(
        verb="get",
        path="/ai/status/v1/jobs/{job_id}",
        name="caiJobStatusGet",
        summary="How far a job is, and its result.",
        answers={200: "JobStatusResponse", 400: _CAI, 404: _CAI},
    ),
    Operation(
        verb="post",
        path="/restapi/oauth/token",
        name="getToken",
        summary="Exchange a JWT credential or a refresh token for an access token.",
        body="TokenRequest",
        answers={200: "TokenResponse", 400: _OAUTH, 401: _OAUTH, 413: _CAI, 503: _PLATFORM},
    ),
    Operation(
        verb="post",
        path="/restapi/oauth/revoke",
        name="revokeToken",
        summary="End the session of a token.",
        body="RevokeRequest",
        answers={200: None, 400: _OAUTH, 401: _OAUTH, 413: _CAI, 503: _PLATFORM},
    ),
    Operation(verb="get", path="/healthz", name="health", summary="The process lives.", answers={200: "Health"}),
    Operation(
        verb="get",
        path="/readyz",
        name="readiness",
        summary="It can do its work, or what is missing.",
        answers={200: "Health", 503: "Health"},
    ),
    Operation(verb="get", path="/openapi.json", name="openapi", summary="This document.", answers={200: "Document"}),
)


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
