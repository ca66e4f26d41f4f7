"""`/v1/events`: the events, page by page or as they come (server-sent events), and the catalogue.

A watcher remembers the id of the last event seen and goes on behind it, as browsers do by themselves (`Last-Event-ID`);
what came meanwhile comes first, so nothing is missed. What was forgotten can't be given: that is said before anything
is sent.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from redis.exceptions import RedisError

from webhook.body import Moment, read_body
from webhook.room import ROOM, Room
from worker.contract.events import CATALOGUE, EventDocument, fits, schema, unknown
from worker.contract.speaker import from_record
from worker.enrollment.errors import RequestError
from worker.enrollment.record import SpeakerId
from worker.intake import speaker_id_of
from worker.store.events import BEGIN, order, place_at, place_of, rung

_PAGE = 500
_PAGES = 20  # looked through for one answer; whoever filters goes on at `next`
_BEAT_S = 15.0  # a comment at least so often, so that proxies keep the connection and a dead one is noticed
_WATCHERS_MOST = 1000
_STREAM = "text/event-stream"
_TRIAL_LIMIT = 16_384
_PATTERN_MOST = 64


class Wanted(BaseModel):
    """Which events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    types: str = ""
    speaker: str | None = None
    after: str | None = None
    before: str | None = None
    since: Moment | None = None
    full: bool = False
    limit: Annotated[int, Field(ge=1, le=500)] = 50

    @property
    def patterns(self) -> tuple[str, ...]:
        """Types, with stars; none is all.

        Raises:
            RequestError: `event_type_unknown`.
        """
        return types_of(self.types.replace(",", " ").split())

    def among(self, found: list[tuple[str, EventDocument | None]]) -> list[tuple[str, EventDocument]]:
        """Those of some events, with their places."""
        patterns = self.patterns
        return [
            (place, event)
            for place, event in found
            if event and self.speaker in {None, event.speaker_id} and fits(event.type, patterns)
        ]


class Trial(BaseModel):
    """An event to try with."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    type: str
    speaker_id: str | None = None
    data: dict[str, Any] | None = None


def types_of(patterns: list[str]) -> tuple[str, ...]:
    """Check names of event types, with stars.

    Raises:
        RequestError: `event_type_unknown`.
    """
    if wrong := [one for one in patterns if len(one) > _PATTERN_MOST] or unknown(patterns):
        known = ", ".join(CATALOGUE)
        raise RequestError("event_type_unknown", f"{wrong[0][:60]!r}: known are {known}", status=422)
    return tuple(patterns)


async def events(request: web.Request) -> web.StreamResponse:
    """`GET /v1/events?types=&speaker=&after=&since=&full=`: as they come, where the client accepts `text/event-stream`.

    Otherwise one page: oldest first behind `after` or from `since` on, else newest first (`before` goes on from there).
    """
    wanted = Wanted.model_validate(dict(request.query))
    if wanted.speaker is not None:
        speaker_id_of(wanted.speaker)
    _ = wanted.patterns  # checked before anything is sent
    if _STREAM in request.headers.get("Accept", ""):
        return await _watch(request, wanted)
    return web.json_response(await _page(request.app[ROOM], wanted))


async def one(request: web.Request) -> web.Response:
    """`GET /v1/events/{eventId}`."""
    event_id = request.match_info["event_id"]
    (event,) = await request.app[ROOM].events.several([place_of(event_id)])
    if event is None:
        raise RequestError("event_unknown", f"{event_id[:50]}: no such event, or it was forgotten", status=404)
    return web.json_response(event.to_wire())


async def trigger(request: web.Request) -> web.Response:
    """`POST /v1/events`: an event in which nothing happened, marked as a test, to try who listens."""
    room = request.app[ROOM]
    wanted = Trial.model_validate_json(await read_body(request, limit=_TRIAL_LIMIT))
    types_of([wanted.type])
    kind = CATALOGUE.get(wanted.type)
    if kind is None:
        raise RequestError("event_type_unknown", f"{wanted.type}: one type is needed, without stars", status=422)
    who, at = speaker_id_of(wanted.speaker_id) if wanted.speaker_id else None, room.now()
    event_id = await room.events.tell(wanted.type, kind.read(wanted.data), at=at, speaker_id=who, test=True)
    (event,) = await room.events.several([place_of(event_id)])
    if event is None:
        raise RequestError("events_full", "VOXROLL_RETENTION_EVENTS keeps none", status=409)
    return web.json_response(event.to_wire(), status=202)


async def catalogue(_request: web.Request) -> web.Response:
    """`GET /v1/event-types`: every type with its JSON Schema."""
    told = [{"type": kind, "says": known.says, "schema": schema(kind)} for kind, known in CATALOGUE.items()]
    return web.json_response({"types": told})


async def _page(room: Room, wanted: Wanted) -> dict[str, Any]:
    forward = wanted.after is not None or wanted.since is not None
    place = await _behind(room, wanted.after, wanted.since) if forward else _place(wanted.before)
    found, more = list[dict[str, Any]](), True
    for _ in range(_PAGES):
        some = await (
            room.events.after(place or BEGIN, limit=_PAGE) if forward else room.events.before(place, limit=_PAGE)
        )
        place = some[-1][0] if some else place
        for at, event in wanted.among(some):
            found.append(await _told(room, event, full=wanted.full))
            if len(found) == wanted.limit:
                place = at
                break
        more = len(some) == _PAGE or len(found) == wanted.limit
        if not more or len(found) == wanted.limit:
            break
    return {"events": found, "next": f"evt_{place}" if more and place else None}


def _place(event_id: str | None) -> str | None:
    return None if event_id is None else place_of(event_id)


async def _watch(request: web.Request, wanted: Wanted) -> web.StreamResponse:
    room = request.app[ROOM]
    if room.metrics.watchers_now >= _WATCHERS_MOST:
        raise RequestError("too_many_watchers", f"{_WATCHERS_MOST} follow the events already; try later", status=503)
    last = request.headers.get("Last-Event-ID", wanted.after)
    place = (
        await _behind(room, last, wanted.since)
        if last is not None or wanted.since
        else (await room.events.bounds()).last
    )
    response = web.StreamResponse(
        headers={"Content-Type": _STREAM, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    with room.metrics.watching(), contextlib.suppress(ConnectionError):
        await response.write(f": voxroll\nid: evt_{place}\n\n".encode())
        await _follow(room, wanted, response, place)
    return response


async def _follow(room: Room, wanted: Wanted, response: web.StreamResponse, place: str) -> None:
    """Send what is behind a place, and then what comes, until the watcher goes or the front door closes.

    A watcher that is so slow that events were forgotten meanwhile is let go: it comes back and is told so.
    """
    loop = asyncio.get_running_loop()
    beat_s = loop.time() + _BEAT_S
    while not room.closing.is_set():
        news = room.bell.next()
        try:
            found = await room.events.after(place, limit=_PAGE)
        except (RedisError, OSError):
            found = []
        if len(found) == _PAGE and await room.events.missed_before(place):
            return
        chosen = wanted.among(found)
        if chosen:
            await response.write(
                b"".join([_sent(at, await _told(room, event, full=wanted.full)) for at, event in chosen])
            )
            beat_s = loop.time() + _BEAT_S
        place = found[-1][0] if found else place
        if len(found) < _PAGE:
            await rung(news, at_most_s=1.0)
        if loop.time() > beat_s:
            await response.write(f": {datetime.now(UTC):%H:%M:%S}\nid: evt_{place}\n\n".encode())
            beat_s = loop.time() + _BEAT_S


async def _behind(room: Room, event_id: str | None, since: datetime | None) -> str:
    """The place to go on behind.

    Raises:
        RequestError: `invalid_request`; `events_forgotten` where what came right behind is no longer there.
    """
    place = place_of(event_id) if event_id is not None else place_at((since or datetime.now(UTC)).astimezone(UTC))
    bounds = await room.events.bounds()
    if bounds.has_forgotten and order(place) < order(bounds.first):
        message = (
            f"events before evt_{bounds.first} are forgotten (VOXROLL_RETENTION_EVENTS): read the speakers once, "
            "then go on from there"
        )
        raise RequestError("events_forgotten", message, status=410)
    return place


async def _told(room: Room, event: EventDocument, *, full: bool) -> dict[str, Any]:
    """An event for the wire, with the speaker's document where that is asked for."""
    if full and event.speaker_id:
        stored = await room.store.get(SpeakerId(event.speaker_id))
        if stored.version:
            document = from_record(stored.record, now=room.now(), policy=room.policy).to_wire()
            event = event.model_copy(update={"speaker": document})
    return event.to_wire()


def _sent(place: str, event: Mapping[str, Any]) -> bytes:
    """One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    data = json.dumps(event, separators=(",", ":"))
    return f"id: evt_{place}\nevent: {event['type']}\ndata: {data}\n\n".encode()
