"""webhookUrl: verify, write down, answer. Nothing else happens in the request.

The raw callback and the job that will reconcile it are written in one transaction, in one round trip, before the 200.
With Redis away the answer is 503, and the sender tries again.
"""

import uuid

import structlog
from aiohttp import web

from webhook.room import ROOM, Room
from worker.contract.callback import parse
from worker.contract.token import Claims, verify
from worker.enrollment.errors import RequestError
from worker.queue import jobs
from worker.store.journal import Callback

_log = structlog.get_logger()
_KEPT_HEADERS = frozenset({"content-type", "user-agent", "rcrequestid", "date"})


async def receive(request: web.Request) -> web.Response:
    """`POST /v1/callbacks/{token}`."""
    room = request.app[ROOM]
    try:
        callback = await _verified(request, room)
    except RequestError as error:
        room.metrics.callbacks.labels(error.code).inc()
        _log.warning("callback.refused", code=error.code)
        raise
    with room.metrics.write_s.time():
        await _write_down(room, callback)
    room.metrics.callbacks.labels("accepted").inc()
    echo = request.headers.get("Validation-Token")
    return web.json_response({}, headers={"Validation-Token": echo} if echo else None)


async def _verified(request: web.Request, room: Room) -> Callback:
    webhook, now = room.settings.webhook, room.now()
    claims: Claims = verify(request.match_info["token"], key=webhook.token_key, account=room.settings.account, now=now)
    body = await read_body(request, limit=webhook.max_body_bytes)
    parse(body)
    return Callback(
        callback_id=uuid.uuid4().hex,
        received_at=now,
        speaker_id=claims.speaker_id,
        recording_id=claims.recording_id,
        attempt_id=claims.attempt_id,
        headers={name.lower(): value for name, value in request.headers.items() if name.lower() in _KEPT_HEADERS},
        body=body,
    )


async def _write_down(room: Room, callback: Callback) -> None:
    async with room.redis.pipeline(transaction=True) as pipe:
        room.journal.stage(pipe, callback)
        room.queue.stage(pipe, jobs.reconcile(room.settings.account, callback.callback_id))
        await pipe.execute()


async def read_body(request: web.Request, *, limit: int) -> bytes:
    """The request's body.

    Raises:
        RequestError: `body_too_large`.
    """
    body = bytearray()
    if (request.content_length or 0) <= limit:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > limit:
                break
        else:
            return bytes(body)
    size = max(request.content_length or 0, len(body))
    raise RequestError("body_too_large", f"{size} bytes or more, {limit} allowed", status=413)
