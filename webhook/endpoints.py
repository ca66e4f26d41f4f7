"""`/v1/endpoints`: where events are posted to. A secret is shown when it is made, and never again."""

import base64
import ipaddress
import secrets as random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from webhook.body import Moment, read_body
from webhook.events import types_of
from webhook.room import ROOM, Room
from worker.enrollment.errors import RequestError
from worker.store.endpoint import Endpoint, Secret
from worker.store.events import place_at
from worker.store.faring import Health

_LIMIT = 65_536
_MOST = 100
_SECRET_BYTES = 32
_SIGNING_MOST = 5  # secrets at one time: each is a signature in a header of every post
_BY_HAND = "disabled by hand"
_REPLAY_MOST = 100_000  # events in one replay


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class NewEndpoint(_Wire):
    """Where to post what."""

    url: Annotated[str, Field(min_length=1, max_length=2_048)]
    types: Annotated[list[str], Field(max_length=50)] = []
    full: bool = False
    description: Annotated[str, Field(max_length=200)] = ""


class Rotation(_Wire):
    """For how long the replaced secret signs too."""

    overlap_s: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400


class Replay(_Wire):
    """Which events to send once more: from one time up to another."""

    since: Moment
    until: Moment | None = None
    types: Annotated[list[str], Field(max_length=50)] = []


async def add(request: web.Request) -> web.Response:
    """`POST /v1/endpoints`: begins with the next event."""
    room = request.app[ROOM]
    wanted = NewEndpoint.model_validate_json(await read_body(request, limit=_LIMIT))
    _check_url(wanted.url)
    if not room.settings.endpoints.allow_private:
        _check_host(urlsplit(wanted.url).hostname or "")
    if sum(map(len, await room.endpoints.all())) >= _MOST:
        raise RequestError("too_many_endpoints", f"{_MOST} are allowed; remove one first", status=409)
    made = Endpoint(
        endpoint_id="ep_" + random.token_hex(8),
        url=wanted.url,
        types=types_of(wanted.types),
        is_full=wanted.full,
        description=wanted.description,
        created_at=room.now(),
        secrets=(Secret(value=_new_secret()),),
    )
    await room.endpoints.add(made, behind=(await room.events.bounds()).last)
    told = await _document(room, made) | {"secret": made.secrets[0].value}
    return web.json_response(told, status=201, headers={"Location": f"/v1/endpoints/{made.endpoint_id}"})


async def listing(request: web.Request) -> web.Response:
    """`GET /v1/endpoints`."""
    room = request.app[ROOM]
    readable, unreadable = await room.endpoints.all()
    shown = [await _document(room, one) for one in readable]
    shown += [await _unreadable(room, name, why) for name, why in unreadable.items()]
    return web.json_response({"endpoints": shown})


async def one(request: web.Request) -> web.Response:
    """`GET /v1/endpoints/{endpointId}`."""
    return web.json_response(await _document(request.app[ROOM], await _known(request)))


async def remove(request: web.Request) -> web.Response:
    """`DELETE /v1/endpoints/{endpointId}`: with all that is on its way there."""
    endpoint_id = request.match_info["endpoint_id"]
    if not await request.app[ROOM].endpoints.remove(endpoint_id):
        raise _unknown(endpoint_id)
    return web.Response(status=204)


async def rotate(request: web.Request) -> web.Response:
    """`POST /v1/endpoints/{endpointId}/rotate`: a new secret; for a time the former one signs too."""
    room = request.app[ROOM]
    wanted = Rotation.model_validate_json(await read_body(request, limit=_LIMIT) or b"{}")
    now = room.now()
    until = now + timedelta(seconds=wanted.overlap_s)

    def rotated(known: Endpoint) -> Endpoint:
        kept = [replace(one, until=min(one.until or until, until)) for one in known.secrets]
        former = [one for one in kept if one.until and one.until > now]
        if len(former) >= _SIGNING_MOST:
            message = f"{len(former)} secrets sign already; `overlapS` 0 ends them, or wait until one has ended"
            raise RequestError("too_many_secrets", message, status=409)
        return replace(known, secrets=(Secret(value=_new_secret()), *former))

    after = await _changed(request, rotated)
    return web.json_response(await _document(room, after) | {"secret": after.secrets[0].value})


async def enable(request: web.Request) -> web.Response:
    """`POST /v1/endpoints/{endpointId}/enable`: goes on where it stopped, at once."""
    answer = await _switch(request, "")
    await request.app[ROOM].endpoints.rouse(request.match_info["endpoint_id"])
    return answer


async def disable(request: web.Request) -> web.Response:
    """`POST /v1/endpoints/{endpointId}/disable`: what comes meanwhile waits."""
    return await _switch(request, _BY_HAND)


async def replay(request: web.Request) -> web.Response:
    """`POST /v1/endpoints/{endpointId}/replay`: send the events of a time once more, with the ids they had."""
    room = request.app[ROOM]
    wanted = Replay.model_validate_json(await read_body(request, limit=_LIMIT))
    known, patterns = await _known(request), types_of(wanted.types)
    until = (wanted.until or room.now()).astimezone(UTC)
    number = await room.endpoints.replay(
        known, room.events, behind=place_at(wanted.since.astimezone(UTC)), until=place_at(until), types=patterns,
        now=room.now(), most=_REPLAY_MOST,
    )  # fmt: skip
    return web.json_response({"endpointId": known.endpoint_id, "events": number}, status=202)


async def _switch(request: web.Request, disabled: str) -> web.Response:
    after = await _changed(request, lambda known: replace(known, disabled=disabled))
    return web.json_response(await _document(request.app[ROOM], after))


async def _known(request: web.Request) -> Endpoint:
    endpoint_id = request.match_info["endpoint_id"]
    found = await request.app[ROOM].endpoints.get(endpoint_id)
    if found is None:
        raise _unknown(endpoint_id)
    return found


async def _changed(request: web.Request, how: Callable[[Endpoint], Endpoint]) -> Endpoint:
    endpoint_id = request.match_info["endpoint_id"]
    after = await request.app[ROOM].endpoints.change(endpoint_id, how)
    if after is None:
        raise _unknown(endpoint_id)
    return after


def _unknown(endpoint_id: str) -> RequestError:
    return RequestError("endpoint_unknown", f"{endpoint_id[:50]}: no such endpoint", status=404)


async def _document(room: Room, endpoint: Endpoint) -> dict[str, Any]:
    now = room.now()
    return {
        "endpointId": endpoint.endpoint_id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "full": endpoint.is_full,
        "description": endpoint.description,
        "createdAt": endpoint.created_at.isoformat(),
        "disabled": endpoint.disabled or None,
        "secrets": len(endpoint.signing(now)),
        "health": _health(await room.endpoints.health(endpoint.endpoint_id)),
    }


async def _unreadable(room: Room, endpoint_id: str, why: str) -> dict[str, Any]:
    """What is left to say of one whose document can't be read: that, and how it did; it can be removed."""
    told = {"endpointId": endpoint_id, "url": "", "types": [], "full": False, "description": "", "createdAt": None}
    return told | {"disabled": why, "secrets": 0, "health": _health(await room.endpoints.health(endpoint_id))}


def _health(found: Health) -> dict[str, Any]:
    return {
        "delivered": found.delivered,
        "failed": found.failed,
        "givenUp": found.given_up,
        "forgotten": found.forgotten,
        "failing": found.failing,
        "speakersWaiting": found.waiting,
        "lastAnswer": found.answer or None,
        "lastTriedAt": _iso(found.tried_ms),
        "eventsWaiting": found.queued,
        "missedBefore": _iso(found.missed_ms),
    }


def _iso(at_ms: int) -> str | None:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat() if at_ms else None


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        fits = False
    if not (fits and url.isascii() and url.isprintable() and " " not in url):
        raise RequestError(
            "invalid_request", "url: an absolute http or https URL without a password is needed", status=422
        )


def _check_host(host: str) -> None:
    """Refuse what is plainly not public now instead of at each delivery, where the address of every name is checked."""
    try:
        is_private = not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        is_private = host == "localhost" or host.endswith(".localhost")
    if is_private:
        message = (
            f"{host} is not reached from the internet, and events are posted to public addresses only; "
            "VOXROLL_ENDPOINTS_ALLOW_PRIVATE=true allows others, `voxroll listen --forward-to` needs no endpoint"
        )
        raise RequestError("forbidden_address", message, status=422)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(random.token_bytes(_SECRET_BYTES)).decode()
