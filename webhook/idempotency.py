"""`Idempotency-Key` on every POST: the same request sent again is answered as the first was, for 24 hours.

What was refused is not kept: sent again, it is tried again. A key with another request is a mistake of the sender, and
said so: another path, another body, or an upload of other parts, of which a digest is made while they are read.
"""

import asyncio
import base64
import hashlib
import json
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from redis.exceptions import RedisError

from config.process import end
from webhook.access import KEY_ID
from webhook.body import BODY_SHA256, read_body
from webhook.parts import read_parts
from webhook.problems import problem
from webhook.room import ROOM, Room
from worker.enrollment.errors import RequestError
from worker.store import keys

_KEPT_S = 86_400
_UNDER_WAY_S = 30  # a request whose process died leaves its key free after this
RENEW_S = 10.0  # an upload may take longer than a key is kept for, and holds it meanwhile
_LONGEST = 255
_BODY_LIMIT = 16 * 1024 * 1024
_TOO_MANY, _SERVER_ERRORS = 429, 500
_KEPT_HEADERS = ("Location", "Content-Type", "Preference-Applied")


def idempotent(renew_s: float = RENEW_S) -> Middleware:
    """The middleware that answers a repeated POST as its first; a key is held anew every so many seconds."""

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await _once(request, handler, renew_s)

    return answered


async def _once(request: web.Request, handler: Handler, renew_s: float) -> web.StreamResponse:
    key = request.headers.get("Idempotency-Key")
    if key is None or request.method != "POST" or request.path.startswith("/v1/callbacks/"):
        return await handler(request)
    if not (0 < len(key) <= _LONGEST and key.isascii() and key.isprintable()):
        message = f"Idempotency-Key: 1 to {_LONGEST} printable ASCII characters are needed"
        raise RequestError("invalid_request", message, status=422)
    room = request.app[ROOM]
    who = hashlib.sha256(f"{request.get(KEY_ID, '')}\n{key}".encode()).hexdigest()
    place = keys.repeated(room.settings.account, who)
    if not await room.redis.set(place, b"", nx=True, ex=_UNDER_WAY_S):
        return await _repeated(request, await room.redis.get(place))
    holding = asyncio.create_task(_hold(room, place, renew_s))
    try:
        response = await handler(request)
    except BaseException:
        await end(holding)
        with suppress(RedisError, OSError):
            await room.redis.delete(place)
        raise
    await end(holding)
    with suppress(RedisError, OSError):  # it is done: whoever asked is told so, and need not ask again
        if response.status == _TOO_MANY or response.status >= _SERVER_ERRORS or not isinstance(response, web.Response):
            await room.redis.delete(place)
        else:
            await room.redis.set(place, _kept(request, response), ex=_KEPT_S)
    return response


async def _hold(room: Room, place: str, renew_s: float) -> None:
    while True:
        await asyncio.sleep(renew_s)
        with suppress(RedisError, OSError):
            await room.redis.expire(place, _UNDER_WAY_S)


def _kept(request: web.Request, response: web.Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else b""
    return json.dumps(
        {
            "asked": [request.path_qs, request.content_type, request.get(BODY_SHA256)],
            "status": response.status,
            "headers": {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            "body": base64.b64encode(body).decode(),
        }
    ).encode()


async def _repeated(request: web.Request, kept: bytes | None) -> web.Response:
    if not kept:
        detail = "a request with this Idempotency-Key is being worked on; send it again in a moment"
        return problem(409, "idempotency_in_progress", detail, headers={"Retry-After": "1"})
    told: dict[str, Any] = json.loads(kept)
    path, kind, sha256 = told["asked"]
    is_same = [path, kind] == [request.path_qs, request.content_type]
    if is_same and sha256 is not None:
        await _read(request)
        is_same = request.get(BODY_SHA256) == sha256
    if not is_same:
        message = "this Idempotency-Key was sent with another request within 24 h; take a new one for a new request"
        raise RequestError("idempotency_key_reused", message, status=422)
    body, headers = base64.b64decode(told["body"]), told["headers"] | {"Idempotent-Replay": "true"}
    return web.Response(status=told["status"], body=body, headers=headers)


async def _read(request: web.Request) -> None:
    """Read the body for its digest alone."""
    if request.content_type != "multipart/form-data":
        await read_body(request, limit=_BODY_LIMIT)
        return
    try:
        await read_parts(request, limit=request.app[ROOM].settings.intake.max_bytes)
    except ValueError as error:
        raise RequestError("invalid_request", "the multipart body can't be read", status=422) from error
