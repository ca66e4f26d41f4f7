"""`/healthz` (the process lives), `/readyz` (it can do its work), `/metrics`."""

import asyncio

from aiohttp import web
from redis.exceptions import RedisError

from webhook.room import ROOM, Room
from worker.store import keys

_PATIENCE_S = 2.0


async def healthz(_request: web.Request) -> web.Response:
    """200 while the process lives."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 if Redis answers and a worker lives; else 503, and which of them is missing."""
    room = request.app[ROOM]
    redis, worker = await _checks(room)
    ready = redis and worker
    checks = {"redis": "ok" if redis else "no answer", "worker": "ok" if worker else "no worker has been seen for 10 s"}
    return web.json_response({"ready": ready, "checks": checks}, status=200 if ready else 503)


async def _checks(room: Room) -> tuple[bool, bool]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return True, bool(await room.redis.exists(keys.health(room.settings.account)))
    except (RedisError, TimeoutError):
        return False, False


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text; the gauges are read from Redis at this moment."""
    room = request.app[ROOM]
    for state, count in (await room.store.counts()).items():
        room.metrics.speakers.labels(state).set(count)
    room.metrics.queued.set(await room.redis.zcard(room.queue.name))
    return web.Response(body=room.metrics.text(), content_type="text/plain", charset="utf-8")
