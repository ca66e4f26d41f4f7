"""The shapes of bodies as JSON Schema 2020-12, for the engine's own OpenAPI document; values come from the readers.

Objects that clients send tolerate further members, as the engine does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from config.settings import Quality
from engine.service import wire
from engine.service.enrollment import ID_NAMES
from engine.service.failure import CAI_INVALID
from engine.service.jobs import STATUSES
from engine.service.samples import ID_CHARS
from engine.service.tokens import ACCESS_TTL_S, GRANT, REFRESH, REFRESH_TTL_S, SCOPE

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
SECONDS: Schema = {"type": "number", "minimum": 0}
WHEN: Schema = {"type": "string", "format": "date-time"}
UUID: Schema = {"type": "string", "format": "uuid"}
SAMPLE_ID: Schema = {"type": "string", "pattern": f"^[0-9a-f]{{{ID_CHARS}}}$"}
ID: Schema = {"type": "string", "pattern": f"^{wire.ID_PATTERN}$", "minLength": 1, "maxLength": wire.ID_CHARS_MOST}
URL: Schema = {
    "type": "string",
    "format": "uri",
    "pattern": r"^https?://[A-Za-z0-9.-]+(:[1-9][0-9]{0,3})?(/[!-~]*)?$",
    "maxLength": wire.URL_CHARS_MOST,
}
BASE64: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    "description": "The audio file in base64; line breaks are tolerated.",
}


def whole(least: int, most: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "maximum": most}


def one_of(words: Sequence[str]) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(words)}


def ref(name: str) -> Schema:
    """A schema of this module by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Sequence[str] = (), **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _array(items: Schema, *, least: int = 0, most: int | None = None) -> Schema:
    return {"type": "array", "items": items, "minItems": least} | ({} if most is None else {"maxItems": most})


def _either(names: Sequence[str]) -> Schema:
    """One of these members at least has to be there."""
    return {"anyOf": [{"required": [name]} for name in names]}


_AUDIO: Mapping[str, Schema] = {
    "encoding": one_of(wire.ENCODINGS),
    "languageCode": {"type": "string", "examples": ["en-US"]},
    "content": BASE64,
    "contentUri": URL,
}
_EXACTLY_ONE: Schema = {"oneOf": [{"required": ["content"]}, {"required": ["contentUri"]}]}
_RECORDING: Mapping[str, Schema] = {
    **_AUDIO,
    "languageCode": {"type": "string", "minLength": 1, "examples": ["en-US"]},
    "source": TEXT,
    "audioType": one_of(wire.AUDIO_TYPES),
    "enableVoiceActivityDetection": FLAG,
}


def _ids(*, least: int) -> dict[str, Schema]:
    named = _array(ID, least=least, most=wire.IDS_MOST)
    return {"speakerIds": named, "enrollmentIds": named}


_STATUS = _object(
    ["enrollmentComplete", "totalSpeechDuration"],
    **dict.fromkeys(ID_NAMES, ID),
    enrollmentComplete=FLAG,
    totalSpeechDuration=SECONDS,
    totalEnrollDuration=SECONDS,
    enrollmentQuality=one_of(get_args(Quality)),
) | _either(ID_NAMES)
_SEGMENT = _object(["speakerId", "start", "end"], speakerId=TEXT, start=SECONDS, end=SECONDS, confidence=SECONDS)
_ERROR = _object(["errorCode", "message"], errorCode=TEXT, message=TEXT, parameterName=TEXT)
_CAI_ERROR = _object(["errorCode", "message"], errorCode={"const": CAI_INVALID}, message=TEXT, parameterName=TEXT)
_PAGING = _object(
    ["page", "totalPages", "perPage"], page=whole(1, wire.PAGES_MOST), totalPages=whole(1, wire.PAGES_MOST),
    perPage=whole(1, wire.PER_PAGE_MOST),
)  # fmt: skip
_JOB_ID = _object(["jobId"], jobId=UUID)

SCHEMAS: Mapping[str, Schema] = {
    "EnrollmentInput": _object(["encoding"], **dict.fromkeys(ID_NAMES, ID), **_AUDIO)
    | _EXACTLY_ONE
    | {"description": "One of the ids is needed, but in profile 2022 with a webhook, where the engine gives one."},
    "EnrollmentPatchInput": _object(["encoding"], **_AUDIO) | _EXACTLY_ONE,
    "SyncIdentifyInput": _object(["encoding", "content"], **_AUDIO, **_ids(least=1)) | _either(list(_ids(least=1))),
    "IdentifyInput": _object(["encoding", "languageCode"], **_RECORDING, **_ids(least=1))
    | {"allOf": [_either(list(_ids(least=1))), _EXACTLY_ONE]},
    "DiarizeInput": _object(
        ["encoding", "languageCode"],
        **_RECORDING,
        **_ids(least=0),
        speakerCount=whole(-1, wire.SPEAKERS_MOST),
        separateSpeakerPerChannel=FLAG,
    )
    | _EXACTLY_ONE,
    "EnrollmentStatus": _STATUS,
    "ListEnrolledSpeakers": _object(["paging", "records"], paging=_PAGING, records=_array(ref("EnrollmentStatus"))),
    "EnrollmentSamples": _object(["records"], records=_array(ref("EnrollmentSample"))),
    "EnrollmentSample": _object(
        ["sampleId", "creationTime", "speechDuration", "audioDuration", "narrowBand", "agreement", "agrees"],
        sampleId=SAMPLE_ID,
        creationTime=WHEN,
        speechDuration=SECONDS,
        audioDuration=SECONDS,
        narrowBand=FLAG,
        agreement={"type": "number", "minimum": -1, "maximum": 1},
        agrees=FLAG,
    ),
    "CaiAsyncApiResponse": _JOB_ID,
    "SpeakerIdentificationObject": _object(["utterances"], utterances=_array(ref("DiarizeSegment"))),
    "DiarizedObject": _object(
        ["speakerCount", "utterances"],
        speakerCount=whole(0, wire.SPEAKERS_MOST),
        utterances=_array(ref("DiarizeSegment")),
    ),
    "DiarizeSegment": _SEGMENT,
    "JobStatusResponse": _object(
        ["jobId", "api", "creationTime", "expirationTime", "status"],
        jobId=UUID,
        api=TEXT,
        creationTime=WHEN,
        completionTime=WHEN,
        expirationTime=WHEN,
        status=one_of(STATUSES),
        response={
            "anyOf": [
                *map(ref, ("EnrollmentStatus", "DiarizedObject", "SpeakerIdentificationObject", "CaiErrorResponse")),
                ref("PlatformError"),
            ]
        },
    ),
    "CaiErrorResponse": _object(["errors"], errors=_array(_CAI_ERROR, least=1)),
    "PlatformError": _object(["errorCode", "message", "errors"], errorCode=TEXT, message=TEXT, errors=_array(_ERROR)),
    "TokenRequest": _object(
        ["grant_type"],
        grant_type=one_of([GRANT, REFRESH]),
        assertion=TEXT,
        refresh_token=TEXT,
        endpoint_id=TEXT,
        access_token_ttl=whole(ACCESS_TTL_S[0], ACCESS_TTL_S[-1]),
        refresh_token_ttl=whole(REFRESH_TTL_S[0], REFRESH_TTL_S[-1]),
    ),
    "TokenResponse": _object(
        ["access_token", "token_type", "expires_in", "scope", "owner_id", "endpoint_id", "session_id"],
        access_token=TEXT,
        token_type={"const": "bearer"},
        expires_in=whole(ACCESS_TTL_S[0], ACCESS_TTL_S[-1]),
        refresh_token=TEXT,
        refresh_token_expires_in=whole(1, REFRESH_TTL_S[-1]),
        scope={"const": SCOPE},
        owner_id=TEXT,
        endpoint_id=TEXT,
        session_id=TEXT,
    ),
    "RevokeRequest": _object(["token"], token={"type": "string", "minLength": 1}),
    "OAuthError": _object(
        ["error", "error_description", "errorCode", "message", "errors"],
        error=TEXT,
        error_description=TEXT,
        errorCode=TEXT,
        message=TEXT,
        errors=_array(_ERROR, least=1),
    ),
    "Health": _object(["status"], status=TEXT, checks=_array({"type": "object"})),
}
