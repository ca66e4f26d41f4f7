"""What is handed in: the rows of the description for enrollments, speakers and batches."""

from typing import Any

from webhook import batch_requests, batch_schemas, enrollments, schemas, shortlists, speakers
from webhook.operation import JSON, LIMIT, TEXT, TIME, Operation
from webhook.preference import WAIT_MOST_S
from worker.contract.speaker import SpeakerDocument
from worker.enrollment.record import Quality
from worker.enrollment.states import SpeakerState

_P = schemas.Problem
_ONE_SPEAKER, _RECORDING = "/v1/speakers/{speaker_id}", "/v1/speakers/{speaker_id}/recordings/{recording_id}"
_ONE_BATCH = "/v1/batches/{batch_id}"
_WAIT = TEXT | {
    "examples": ["wait=10"],
    "description": f"`wait=SECONDS` (RFC 7240), at most {WAIT_MOST_S}: the answer waits until these recordings are "
    "measured, and says of each which stretch was found, or why none; `Preference-Applied` says that it did.",
}


def _enum(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


SPEAKERS = (
    Operation(
        verb="post",
        path="/v1/enrollments",
        name="enroll",
        summary="Hand in recordings of one speaker, by source or as files.",
        takes={JSON: enrollments.EnrollmentRequest, "multipart/form-data": schemas.Upload},
        headers=(("Prefer", _WAIT),),
        answers={202: SpeakerDocument, 403: _P, 404: _P, 408: _P, 409: _P, 410: _P, 413: _P, 415: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/speakers",
        name="listSpeakers",
        summary="Speakers by their last change, the latest first; from the oldest on none is missed.",
        query=(
            ("state", _enum(*SpeakerState)),
            ("quality", _enum(*Quality)),
            ("batch", {"type": "string", "pattern": "^[a-zA-Z0-9_.-]{1,64}$"}),
            ("changedAfter", TIME),
            ("changedBefore", TIME),
            ("order", _enum(*speakers.Order)),
            ("limit", LIMIT),
            ("cursor", {"type": "string", "pattern": "^[0-9]{1,16}-.*$"}),
        ),
        answers={200: schemas.SpeakersPage, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/roster",
        name="listRoster",
        summary="Ids that identify takes now, as many as one call may name.",
        query=(
            ("minQuality", _enum(*Quality)),
            ("batch", {"type": "string", "pattern": "^[a-zA-Z0-9_.-]{1,64}$"}),
            ("limit", LIMIT),
            ("cursor", {"type": "string", "pattern": "^[0-9]{1,16}-.*$"}),
        ),
        answers={200: schemas.Roster, 422: _P},
    ),
    Operation(
        verb="post",
        path="/v1/shortlists",
        name="addShortlist",
        summary="Have a recording listened to: who of all may be the people in it; it is forgotten at once.",
        takes={JSON: shortlists.NewShortlist},
        answers={200: schemas.Shortlist, 202: schemas.Shortlist, 403: _P, 404: _P, 408: _P, 413: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/shortlists/{shortlist_id}",
        name="getShortlist",
        summary="Ids for one call of identify, the likeliest first; there for ten minutes.",
        query=(
            ("minQuality", _enum(*Quality)),
            ("batch", {"type": "string", "pattern": "^[a-zA-Z0-9_.-]{1,64}$"}),
            ("limit", LIMIT),
        ),
        answers={200: schemas.Shortlist, 404: _P, 422: _P},
    ),
    Operation(
        verb="post",
        path="/v1/lookup",
        name="lookUpSpeakers",
        summary="How many speakers stand, in one answer; who is not known is left out.",
        takes={JSON: speakers.Lookup},
        answers={200: schemas.Standings, 408: _P, 413: _P, 422: _P},
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
        summary="Forget a speaker for good, known or not; the receipt says what names the id still, and until when.",
        answers={202: schemas.Erased, 422: _P},
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
)
BATCHES = (
    Operation(
        verb="post",
        path="/v1/batches",
        name="addBatch",
        summary="Hand in many rows, as JSON or as a manifest; the same again is the same batch.",
        takes={JSON: batch_requests.Rows, "multipart/form-data": batch_schemas.BatchUpload},
        answers={200: batch_schemas.Batch, 202: batch_schemas.Batch, 408: _P, 413: _P, 415: _P},
    ),
    Operation(
        verb="get",
        path="/v1/batches",
        name="listBatches",
        summary="Batches, the newest first.",
        query=(("limit", LIMIT | {"maximum": 100}), ("cursor", {"type": "string", "pattern": "^[0-9]{1,9}$"})),
        answers={200: batch_schemas.BatchesPage, 422: _P},
    ),
    Operation(
        verb="get",
        path=_ONE_BATCH,
        name="getBatch",
        summary="How a batch gets on.",
        answers={200: batch_schemas.Batch, 404: _P},
    ),
    Operation(
        verb="delete",
        path=_ONE_BATCH,
        name="forgetBatch",
        summary="Forget a batch that has ended: manifest, problems, counters; its speakers stay.",
        answers={204: None, 404: _P, 409: _P},
    ),
    *(
        Operation(
            verb="post",
            path=f"{_ONE_BATCH}:{what}",
            name=f"{what}Batch",
            summary=says,
            takes={JSON: batch_requests.Bounds} if what == "resume" else None,
            answers={202: batch_schemas.Batch, 404: _P, 408: _P, 413: _P},
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
)
