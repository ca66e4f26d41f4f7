"""`POST /v1/enrollments`: recordings of one speaker, by path, by http(s) URL or as an upload.

An upload is streamed to disk, never held in memory, and stored under the hash of its content. Answered with 202 and
the speaker's document once it is written down; with `Prefer: wait=SECONDS` once the recordings are measured, too.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

from aiohttp import BodyPartReader, web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from redis.exceptions import RedisError

from config.settings import Quality
from webhook.body import read_body
from webhook.parts import parts_of, spooled, text_of
from webhook.preference import wait_of
from webhook.room import ROOM, Room
from worker.contract.fields import FieldError, language_of, stretch_of
from worker.contract.speaker import from_record
from worker.ending import ending_of
from worker.enrollment.errors import RequestError
from worker.enrollment.record import Goal, Record, SpeakerId
from worker.enrollment.record import Quality as Grade
from worker.enrollment.states import SampleState, is_goal_met, sample_state
from worker.intake import Order, SpeakerErasedError, batch_of, speaker_id_of
from worker.sources import Allowed, HandedIn, recording_from
from worker.store.events import rung
from worker.store.objects import UPLOADS, failed, folder_of

_JSON_LIMIT = 262_144
_Time = Annotated[
    Annotated[float, Field(strict=True)] | str,
    Field(description="Seconds, mm:ss or h:mm:ss from the recording's beginning on."),
]


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class RecordingRequest(_Wire):
    """One recording, named."""

    source: Annotated[str, Field(min_length=1, max_length=2_048)]
    channel: Annotated[int, Field(ge=0, le=63)] | None = None
    start: _Time | None = None
    end: _Time | None = None
    language: Annotated[str, Field(description="A tag like en-US.")] | None = None


class GoalRequest(_Wire):
    """When the speaker needs no further sample."""

    quality: Quality | None = None
    samples: Annotated[int, Field(ge=1, le=20)] | None = None


class EnrollmentRequest(_Wire):
    """What to enroll."""

    speaker_id: Annotated[str, Field(json_schema_extra={"pattern": "^[a-zA-Z0-9_]{1,128}$"})]  # checked with its code
    recordings: Annotated[list[RecordingRequest], Field(min_length=1, max_length=20)]
    goal: GoalRequest | None = None
    batch: Annotated[str, Field(json_schema_extra={"pattern": "^[a-zA-Z0-9_.-]{1,64}$"})] | None = None


async def enroll(request: web.Request) -> web.Response:
    """`POST /v1/enrollments`."""
    room = request.app[ROOM]
    match request.content_type:
        case "application/json":
            order = await _named(request, room)
        case "multipart/form-data":
            order = await _uploaded(request, room)
        case other:
            message = f"{other}: application/json or multipart/form-data is needed"
            raise RequestError("unsupported_media_type", message, status=415)
    try:
        record = await room.intake.take_in(order, now=room.now())
    except SpeakerErasedError:
        await room.objects.forget(folder_of(UPLOADS, room.settings.account, order.speaker_id))
        raise
    room.metrics.recordings.inc(len(order.recordings))
    headers = {"Location": f"/v1/speakers/{order.speaker_id}"}
    wait_s = wait_of(request.headers.getall("Prefer", ()))
    if wait_s is not None and not room.waiting.is_full:
        record = await _measured(room, order, record, within_s=wait_s)
        headers["Preference-Applied"] = f"wait={wait_s}"
    document = from_record(record, now=room.now(), policy=room.policy)
    return web.json_response(document.to_wire(), status=202, headers=headers)


async def _measured(room: Room, order: Order, record: Record, *, within_s: float) -> Record:
    """The record once the order's recordings are measured, or as it was last known after so long."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    with room.waiting.of(order.speaker_id) as news:
        while True:
            news.clear()
            try:
                record = (await room.store.get(order.speaker_id)).record
            except (RedisError, OSError):
                return record  # the order is written down, and that is what is answered
            left_s = end_s - loop.time()
            if left_s <= 0 or room.closing.is_set() or not _is_measuring(record, order):
                return record
            await rung(news, at_most_s=left_s)


def _is_measuring(record: Record, order: Order) -> bool:
    """Whether any of the order's recordings has still to be measured."""
    wanted = {one.identity for one in order.recordings}
    planned = (one for one in record.samples if sample_state(one) is SampleState.PLANNED)
    return not is_goal_met(record) and any(HandedIn.of(one).identity in wanted for one in planned)


async def _named(request: web.Request, room: Room) -> Order:
    wanted = EnrollmentRequest.model_validate_json(await read_body(request, limit=_JSON_LIMIT))
    speaker_id = speaker_id_of(wanted.speaker_id)
    batch = batch_of(wanted.batch) if wanted.batch is not None else None
    allowed = Allowed.by(room.settings)
    recordings = [_recording(one, allowed) for one in wanted.recordings]
    return Order(speaker_id=speaker_id, recordings=recordings, goal=goal_of(room, wanted.goal), batch=batch)


def _recording(one: RecordingRequest, allowed: Allowed) -> HandedIn:
    try:
        stretch, language = stretch_of(one.start, one.end), language_of(one.language)
    except FieldError as error:
        code = "language_invalid" if error.field == "language" else "stretch_invalid"
        raise RequestError(code, f"{error.field}: {error.reason}", status=422) from error
    found = recording_from(one.source, allowed=allowed)
    return replace(found, channel=one.channel, stretch=stretch, language=language)


def goal_of(room: Room, wanted: GoalRequest | None) -> Goal:
    """The goal that was asked for; what was left open as the settings have it."""
    usual = room.settings.goal
    return Goal(
        quality=Grade((wanted and wanted.quality) or usual.quality),
        samples=(wanted and wanted.samples) or usual.samples,
    )


async def _uploaded(request: web.Request, room: Room) -> Order:
    speaker_id, batch = "", None
    recordings: list[HandedIn] = []
    try:
        async for part in parts_of(request):
            match part.name:
                case "speakerId":
                    speaker_id = speaker_id_of(await text_of(request, part))
                case "batch":
                    batch = batch_of(await text_of(request, part))
                case "recording":
                    recordings.append(await _store(request, part, speaker_id=speaker_id_of(speaker_id)))
                case _:
                    raise RequestError(
                        "invalid_request", "parts `speakerId`, `batch` and `recording` are known", status=422
                    )
    except ValueError as error:
        raise RequestError("invalid_request", "the multipart body can't be read", status=422) from error
    if not recordings:
        raise RequestError("invalid_request", "no part `recording` with a file in it", status=422)
    return Order(speaker_id=speaker_id_of(speaker_id), recordings=recordings, goal=goal_of(room, None), batch=batch)


async def _store(request: web.Request, part: BodyPartReader, *, speaker_id: SpeakerId) -> HandedIn:
    room, name = request.app[ROOM], Path(unquote(part.filename or "")).name
    try:
        async with spooled(request, part, limit=room.settings.intake.max_bytes) as (path, sha256):
            ending = ending_of(name, media_type=part.headers.get("Content-Type", ""))
            key = f"{folder_of(UPLOADS, room.settings.account, speaker_id)}/{sha256}{ending}"
            await room.objects.put(key, path)
    except ConnectionError:
        raise
    except OSError as error:
        raise failed(error, "keeping the upload") from error
    return HandedIn(f"upload:{key}", (name or sha256[:12])[:200])
