"""The engine's routes as a table: what each takes and what it may answer, for its own OpenAPI document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.service import wire
from engine.service.schemas import FLAG, URL, Schema, whole

_CAI, _PLATFORM, _OAUTH = "CaiErrorResponse", "PlatformError", "OAuthError"


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
