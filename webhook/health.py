"""`/healthz` (the process lives), `/readyz` (it can do its work), `/metrics`."""

import asyncio
from datetime import timedelta

from aiohttp import web
from redis.exceptions import RedisError

from webhook.room import ROOM, Room
from worker.store import keys

_PATIENCE_S = 2.0
_NAMED = 3
_LATE = timedelta(minutes=1)


async def healthz(_request: web.Request) -> web.Response:
    """200 while the process lives."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 if Redis answers and a worker lives; else 503, and which of them is missing.

    An endpoint or a batch whose document can't be read is named too; all the others are worked on.
    """
    room = request.app[ROOM]
    redis, worker, documents = await _checks(room)
    ready = redis and worker
    checks = {
        "redis": "ok" if redis else "no answer",
        "worker": "ok" if worker else "no worker has been seen for 10 s",
        "documents": "; ".join(documents[:_NAMED]) or "ok",
    }
    return web.json_response({"ready": ready, "checks": checks}, status=200 if ready else 503)


async def _checks(room: Room) -> tuple[bool, bool, list[str]]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            worker = bool(await room.redis.exists(keys.health(room.settings.account)))
            unreadable = (await room.endpoints.all()).unreadable | await room.batches.unreadable()
            return True, worker, list(unreadable.values())
    except (RedisError, TimeoutError):
        return False, False, []


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text; the gauges are read from Redis at this moment."""
    room = request.app[ROOM]
    for state, count in (await room.store.counts()).items():
        room.metrics.speakers.labels(state).set(count)
    room.metrics.queued.set(await room.redis.zcard(room.queue.name))
    late_ms = round((room.now() - _LATE).timestamp() * 1000)
    room.metrics.overdue.set(await room.redis.zcount(keys.due(room.settings.account), "-inf", late_ms))
    return web.Response(body=room.metrics.text(), content_type="text/plain", charset="utf-8")
