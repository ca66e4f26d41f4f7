"""`/v1/speakers`: the records as documents, erasure, and what people decide of held samples."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from webhook.body import read_body
from webhook.room import ROOM
from worker.contract.speaker import from_record
from worker.contract.standing import standing_of
from worker.enrollment.errors import RequestError
from worker.enrollment.record import Quality, RecordingId
from worker.enrollment.states import BATCH, SpeakerState
from worker.intake import batch_of, speaker_id_of
from worker.store.listing import Wanted

_Id = Annotated[str, Field(json_schema_extra={"pattern": "^[a-zA-Z0-9_]{1,128}$"})]  # checked with its code
_LOOKUP_LIMIT = 262_144
_DEFAULT_PAGE = 50
_LARGEST_PAGE = 500


class Order(StrEnum):
    """Which change comes first. Of what changes while somebody pages, none is missed from the oldest on."""

    NEWEST = "newest"
    OLDEST = "oldest"


_Word = TypeVar("_Word", SpeakerState, Quality, Order)


class Lookup(BaseModel):
    """Whom to look up."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    speaker_ids: Annotated[list[_Id], Field(min_length=1, max_length=1000)]


async def one(request: web.Request) -> web.Response:
    """`GET /v1/speakers/{speakerId}`."""
    room = request.app[ROOM]
    speaker_id = speaker_id_of(request.match_info["speaker_id"])
    stored = await room.store.get(speaker_id)
    if stored.version == 0:
        raise RequestError("speaker_unknown", f"{speaker_id}: no recording of this speaker was handed in", status=404)
    return web.json_response(from_record(stored.record, now=room.now(), policy=room.policy).to_wire())


async def page(request: web.Request) -> web.Response:
    """`GET /v1/speakers`: in order of their last change, those that fit every condition given.

    Query: `state`, `quality`, `batch`, `changedAfter`, `changedBefore` (RFC 3339), `order`, `limit`, `cursor`.
    """
    room = request.app[ROOM]
    query = request.query
    if query.get("cursor") == "":
        raise RequestError("invalid_request", "cursor: take it from the page before, or leave it out", status=422)
    found = await room.store.page(
        _wanted(query),
        limit=_limit(query.get("limit")),
        cursor=query.get("cursor"),
        newest_first=_one_of(Order, "order", query) is not Order.OLDEST,
    )
    now = room.now()
    documents = [from_record(record, now=now, policy=room.policy).to_wire() for record in found.records]
    return web.json_response({"speakers": documents, "next": found.next})


async def lookup(request: web.Request) -> web.Response:
    """`POST /v1/lookup`: how many speakers stand, in one round trip; who is not known is left out."""
    room = request.app[ROOM]
    wanted = Lookup.model_validate_json(await read_body(request, limit=_LOOKUP_LIMIT))
    records = await room.store.many([speaker_id_of(one) for one in wanted.speaker_ids])
    found = [standing_of(record).to_wire() for record in records.values()]
    return web.json_response({"speakers": found})


async def erase(request: web.Request) -> web.Response:
    """`DELETE /v1/speakers/{speakerId}`: forget for good; 202, as the API is told by a job.

    Speakers of whom nothing is known can be erased too: that is how one opts out beforehand.
    """
    room, now = request.app[ROOM], request.app[ROOM].now()
    speaker_id, kept = speaker_id_of(request.match_info["speaker_id"]), room.settings.retention
    joined = (await room.store.get(speaker_id)).record.batches
    batches = [one.batch for one in joined if one.batch.startswith(BATCH)]
    await room.batches.unnaming.want(speaker_id, batches)
    await room.batches.unnaming.want_everywhere(speaker_id)
    record = await room.intake.erase(speaker_id, now=now)
    named = {
        "batches": batches,
        "manifestsUntil": (now + kept.batches).isoformat(),
        "callbacksUntil": (now + kept.journal).isoformat(),
    }
    document = from_record(record, now=now, policy=room.policy).to_wire()
    return web.json_response(document | {"stillNamed": named}, status=202)


async def retry(request: web.Request) -> web.Response:
    """`POST /v1/speakers/{speakerId}/retry`: what failed for a reason that may have passed is tried once more."""
    room = request.app[ROOM]
    record = await room.intake.retry(speaker_id_of(request.match_info["speaker_id"]), now=room.now())
    return web.json_response(from_record(record, now=room.now(), policy=room.policy).to_wire(), status=202)


async def accept(request: web.Request) -> web.Response:
    """`POST /v1/speakers/{speakerId}/recordings/{recordingId}/accept`: a held sample is handed in after all."""
    return await _decide(request, accept=True)


async def reject(request: web.Request) -> web.Response:
    """`POST /v1/speakers/{speakerId}/recordings/{recordingId}/reject`: a held sample is never handed in."""
    return await _decide(request, accept=False)


async def _decide(request: web.Request, *, accept: bool) -> web.Response:
    room, names = request.app[ROOM], request.match_info
    who, what = speaker_id_of(names["speaker_id"]), RecordingId(names["recording_id"])
    record = await room.intake.decide(who, what, accept=accept, now=room.now())
    return web.json_response(from_record(record, now=room.now(), policy=room.policy).to_wire(), status=202)


def _wanted(query: Mapping[str, str]) -> Wanted:
    return Wanted(
        state=_one_of(SpeakerState, "state", query),
        quality=_one_of(Quality, "quality", query),
        batch=batch_of(query["batch"]) if "batch" in query else None,
        after=_time("changedAfter", query),
        before=_time("changedBefore", query),
    )


def _one_of(kind: type[_Word], name: str, query: Mapping[str, str]) -> _Word | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError as error:
        raise RequestError("invalid_request", f"{name}: one of {', '.join(kind)} is needed", status=422) from error


def _time(name: str, query: Mapping[str, str]) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{name}: a time like 2026-11-21T05:00:00Z is needed"
        raise RequestError("invalid_request", message, status=422) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_PAGE
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _LARGEST_PAGE):
        raise RequestError("invalid_request", f"limit: a number from 1 to {_LARGEST_PAGE} is needed", status=422)
    return int(text)
