"""`GET /v1/events/{eventId}/trace`: one event from the callback that brought it to the endpoints that get it.

What was told with it, the sample it is about, each callback of that sample with what it says and what was made of it,
how the speaker stands now, and how each endpoint fares with it. Read off journal, record and lanes as they are.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from aiohttp import web

from webhook.room import ROOM, Room
from worker.contract.callback import EnrollmentStatus, ErrorBody, parse
from worker.contract.events import EventDocument, fits
from worker.contract.speaker import SampleDocument, SpeakerDocument, from_record
from worker.enrollment.errors import RequestError
from worker.enrollment.record import SpeakerId
from worker.store.endpoint import Endpoint
from worker.store.endpoints import NO_SPEAKER
from worker.store.events import order, place_of
from worker.store.journal import Callback

_CALLBACKS_MOST = 10
_PAGE, _PAGES = 500, 20  # of the journal, from the newest on
_AFTER = timedelta(seconds=60)  # a repeated callback may come after the event


async def trace(request: web.Request) -> web.Response:
    """`GET /v1/events/{eventId}/trace`."""
    room, place = request.app[ROOM], place_of(request.match_info["event_id"])
    (event,) = await room.events.several([place])
    if event is None:
        raise RequestError("event_unknown", f"{place}: no such event, or it was forgotten", status=404)
    together = [one for one in await room.events.beside(place) if one.speaker_id == event.speaker_id]
    speaker = await _speaker(room, event)
    recording_id = next((one.data["recordingId"] for one in [event, *together] if "recordingId" in one.data), None)
    samples = speaker.samples if speaker else ()
    sample = next((one for one in samples if one.recording_id == recording_id), None)
    callbacks = await _callbacks(room, event, recording_id)
    told = {
        "event": event.to_wire(),
        "toldWith": [{"id": one.id, "type": one.type, "sequence": one.sequence} for one in together if one != event],
        "sample": sample and sample.model_dump(mode="json", by_alias=True),
        "callbacks": [_told(one, callbacks, sample) for one in callbacks],
        "speaker": speaker and {
            "state": speaker.state,
            "enrollmentComplete": speaker.enrollment_complete,
            "enrollmentQuality": speaker.enrollment_quality,
        },
        "endpoints": [await _fares(room, one, event) for one in (await room.endpoints.all()).readable],
    }  # fmt: skip
    return web.json_response(told)


async def _speaker(room: Room, event: EventDocument) -> SpeakerDocument | None:
    if event.speaker_id is None:
        return None
    stored = await room.store.get(SpeakerId(event.speaker_id))
    return from_record(stored.record, now=room.now(), policy=room.policy) if stored.version else None


async def _callbacks(room: Room, event: EventDocument, recording_id: str | None) -> list[Callback]:
    """Callbacks that may have brought it, oldest first: of the sample, or refused ones of the verdict it tells of."""
    is_refusal = event.type == "callback.refused"
    if not is_refusal and recording_id is None:
        return []
    found, before = list[Callback](), None
    for _ in range(_PAGES):
        some = await room.journal.page(before=before, limit=_PAGE, refused=is_refusal)
        for one in some:
            is_of_it = (
                one.verdict == event.data.get("verdict")
                if is_refusal
                else (one.speaker_id, one.recording_id) == (event.speaker_id, recording_id)
            )
            found += [one] if is_of_it and one.received_at <= event.time + _AFTER else []
        if len(some) < _PAGE or len(found) >= _CALLBACKS_MOST:
            break
        before = some[-1].callback_id
    return list(islice(found, _CALLBACKS_MOST))[::-1]


def _told(callback: Callback, callbacks: list[Callback], sample: SampleDocument | None) -> dict[str, Any]:
    return {
        "callbackId": callback.callback_id,
        "receivedAt": callback.received_at.isoformat(),
        "verdict": callback.verdict,
        "attemptId": callback.attempt_id,
        "bodyBytes": callback.body_bytes,
        "says": _says(callback),
        "decision": _decision(callback, callbacks, sample),
    }


def _says(callback: Callback) -> dict[str, Any] | None:
    """What was read in it; None where nothing could be."""
    try:
        read = parse(callback.body)
    except RequestError:
        return None
    if isinstance(read, ErrorBody):
        code, message = read.reason()
        return {"code": code, "message": message}
    return _enrollment(read)


def _enrollment(read: EnrollmentStatus) -> dict[str, Any]:
    seen = read.to_enrollment()
    return {
        "enrollmentComplete": seen.complete,
        "enrollmentQuality": seen.quality,
        "totalSpeechDuration": seen.speech_s,
        "totalEnrollDuration": seen.audio_s,
    }


def _decision(callback: Callback, callbacks: list[Callback], sample: SampleDocument | None) -> str:
    """What was made of it, in words."""
    if not callback.is_accepted:
        return "refused: nothing was made of it"
    attempt = next((one for one in sample.attempts if one.attempt_id == callback.attempt_id), None) if sample else None
    if attempt is None:
        return "no news: it answers an attempt that the record does not know"
    if attempt.answered_at is None:
        return "waits to be reconciled"
    first = next(one for one in callbacks if one.attempt_id == callback.attempt_id)
    if attempt.via != "callback":
        return f"no news: the attempt had been answered ({attempt.outcome}) otherwise, by {attempt.via}"
    return f"taken: {attempt.outcome}" if first is callback else "no news: the attempt had been answered before"


async def _fares(room: Room, endpoint: Endpoint, event: EventDocument) -> dict[str, Any]:
    place = place_of(event.id)
    told: dict[str, Any] = {"endpointId": endpoint.endpoint_id, "url": endpoint.url, "tries": 0, "nextTryAt": None}
    if not fits(event.type, endpoint.types):
        return told | {"state": "not_asked_for"}
    found = await room.endpoints.whereabouts(endpoint.endpoint_id, event.speaker_id or NO_SPEAKER, place)
    if found.before is not None:
        at = datetime.fromtimestamp(found.due_ms / 1000, UTC).isoformat() if not found.before else None
        return told | {"state": "waiting", "before": found.before, "tries": found.tries, "nextTryAt": at}
    if found.is_given_up:
        return told | {"state": "given_up"}
    if event.time < endpoint.created_at:
        return told | {"state": "older_than_endpoint"}
    return told | {"state": "delivered" if order(found.at) >= order(place) else "in_the_stream"}
