"""`GET /v1/speakers` and `GET /v1/speakers/{speakerId}`: the records, as documents."""

from aiohttp import web

from webhook.room import ROOM
from worker.contract.speaker import from_record
from worker.enrollment.errors import RequestError
from worker.enrollment.states import SpeakerState
from worker.intake import speaker_id_of

_DEFAULT_PAGE = 50
_LARGEST_PAGE = 500


async def one(request: web.Request) -> web.Response:
    """`GET /v1/speakers/{speakerId}`."""
    room = request.app[ROOM]
    speaker_id = speaker_id_of(request.match_info["speaker_id"])
    stored = await room.store.get(speaker_id)
    if stored.version == 0:
        raise RequestError("speaker_unknown", f"{speaker_id}: no recording of this speaker was handed in", status=404)
    return web.json_response(from_record(stored.record, now=room.now(), policy=room.policy).to_wire())


async def page(request: web.Request) -> web.Response:
    """`GET /v1/speakers?state=&limit=&cursor=`: newest change first."""
    room = request.app[ROOM]
    query = request.query
    found = await room.store.page(
        state=_state(query.get("state")), limit=_limit(query.get("limit")), cursor=query.get("cursor")
    )
    now = room.now()
    documents = [from_record(record, now=now, policy=room.policy).to_wire() for record in found.records]
    return web.json_response({"speakers": documents, "next": found.next})


def _state(text: str | None) -> SpeakerState | None:
    if text is None:
        return None
    try:
        return SpeakerState(text)
    except ValueError as error:
        known = ", ".join(SpeakerState)
        raise RequestError("invalid_request", f"state: one of {known} is needed", status=422) from error


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_PAGE
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _LARGEST_PAGE):
        raise RequestError("invalid_request", f"limit: a number from 1 to {_LARGEST_PAGE} is needed", status=422)
    return int(text)
