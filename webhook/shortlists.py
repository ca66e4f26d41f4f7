"""`/v1/shortlists`: of thousands who are enrolled, the few who may be the people in a recording.

Identify takes as many ids as one call may name; these are those to name. A worker listens to the recording, nothing is
kept of it, and the answer is there for some minutes.
"""

from dataclasses import replace
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from webhook.body import read_body
from webhook.room import ROOM, Room
from webhook.roster import is_sure
from worker.enrollment.errors import RequestError
from worker.enrollment.record import Quality
from worker.intake import batch_of
from worker.queue import jobs
from worker.sources import Allowed, recording_from
from worker.store.shortlists import Shortlist, id_of

_LIMIT = 16_384


class NewShortlist(BaseModel):
    """Of which recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recording: str = Field(min_length=1, max_length=4096, description="As a source of an enrollment.")
    channel: Annotated[int, Field(ge=0, le=255)] | None = Field(default=None, description="From 0; all without it.")


class Asked(BaseModel):
    """Whom to name."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    min_quality: Quality = Quality.POOR
    batch: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


async def add(request: web.Request) -> web.Response:
    """`POST /v1/shortlists`: 202, or 200 where the recording was listened to a moment ago."""
    room = request.app[ROOM]
    wanted = NewShortlist.model_validate_json(await read_body(request, limit=_LIMIT))
    named = recording_from(wanted.recording, allowed=Allowed.by(room.settings))
    recording = replace(named, channel=wanted.channel)
    shortlist_id = id_of(recording)
    found = await room.shortlists.begin(shortlist_id)
    if found.is_open:
        await room.queue.put([jobs.shortlist(room.queue.account, shortlist_id, recording.source, wanted.channel)])
    headers = {"Location": f"/v1/shortlists/{shortlist_id}"}
    told = await _document(room, shortlist_id, found, Asked())
    return web.json_response(told, status=202 if found.is_open else 200, headers=headers)


async def one(request: web.Request) -> web.Response:
    """`GET /v1/shortlists/{shortlistId}?minQuality=&batch=&limit=`: the likeliest first."""
    room, shortlist_id = request.app[ROOM], request.match_info["shortlist_id"]
    asked = Asked.model_validate(dict(request.query))
    found = await room.shortlists.get(shortlist_id)
    if found is None:
        message = f"{shortlist_id[:40]}: no such shortlist, or it was made over ten minutes ago; ask for it anew"
        raise RequestError("shortlist_unknown", message, status=404)
    return web.json_response(await _document(room, shortlist_id, found, asked))


async def _document(room: Room, shortlist_id: str, found: Shortlist, asked: Asked) -> dict[str, Any]:
    batch = batch_of(asked.batch) if asked.batch is not None else None
    records = await room.store.many(found.speaker_ids or ())
    sure = [
        record.speaker_id
        for record in records.values()
        if is_sure(record, asked.min_quality) and (batch is None or any(one.batch == batch for one in record.batches))
    ]
    return {
        "shortlistId": shortlist_id,
        "state": "working" if found.is_open else "failed" if found.code else "done",
        "voices": found.voices,
        "speakerIds": sure[: asked.limit],
        "code": found.code,
        "message": found.message,
    }
