"""What the workshop needs, looked at one by one: for `voxroll doctor`. Nothing here changes anything."""

import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypedDict

import aiohttp
from arq.connections import ArqRedis
from redis.exceptions import RedisError
from yarl import URL

from config.settings import Settings, SettingsError
from worker.api.token import TokenSource
from worker.enrollment.errors import VoxrollError
from worker.outside import OutsideError, clock_of, reached
from worker.queue.connect import client, close
from worker.queue.jobs import queue_name
from worker.store.objects import ObjectStore

_SKEW_S = 5.0  # tokens and due times are told in seconds; more than this shows
_DURABLE = ("appendonly", "appendfsync", "maxmemory-policy")
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Check(TypedDict):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    hint: str


async def check(settings: Settings) -> list[Check]:
    """Look at everything; one failure doesn't hide another."""
    redis = client(settings.redis, queue_name=queue_name(settings.account), connections=2)
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        found = [
            await _look("redis", lambda: _redis(redis)),
            await _look("redis_durable", lambda: _durable(redis)),
            await _look("clock", lambda: _clock(redis, http, settings)),
            await _look("api", lambda: _api(redis, http, settings)),
            await _look("webhook_url", lambda: _webhook(settings)),
            await _look("objects", lambda: _objects(settings)),
        ]
    await close(redis)
    return found


async def _look(name: str, look: Callable[[], Awaitable[Check]]) -> Check:
    try:
        return await look()
    except (RedisError, OSError, aiohttp.ClientError, TimeoutError) as error:
        return Check(name=name, ok=False, detail=type(error).__name__, hint=_HINTS[name])
    except (VoxrollError, SettingsError) as error:
        return Check(name=name, ok=False, detail=str(error), hint=_HINTS[name])


_HINTS = {
    "redis": "start Redis or Valkey 7+, or set VOXROLL_REDIS_URL, or use `voxroll up`",
    "redis_durable": "set appendonly yes and maxmemory-policy noeviction",
    "clock": "set the clock by NTP",
    "api": "check VOXROLL_API_BASE_URL, VOXROLL_API_CLIENT_ID, _CLIENT_SECRET and _JWT",
    "objects": "check VOXROLL_OBJECTS_URL, that the bucket is there, and the credentials for it in the environment",
    "webhook_url": "VOXROLL_WEBHOOK_URL must reach the front door from where the API runs, by https from elsewhere",
}


async def _redis(redis: ArqRedis) -> Check:
    info = await redis.info("server")
    version = info.get("valkey_version") or info["redis_version"]
    return Check(name="redis", ok=True, detail=f"{info.get('server_name', 'redis')} {version} answers", hint="")


async def _durable(redis: ArqRedis) -> Check:
    config = await redis.config_get(*_DURABLE)  # type: ignore[arg-type]  # redis-py takes text too
    ok = config.get("appendonly") == "yes" and config.get("maxmemory-policy") == "noeviction"
    detail = ", ".join(f"{name} {value}" for name, value in sorted(config.items()))
    return Check(name="redis_durable", ok=ok, detail=detail, hint="" if ok else _HINTS["redis_durable"])


async def _clock(redis: ArqRedis, http: aiohttp.ClientSession, settings: Settings) -> Check:
    seconds, micros = await redis.time()
    skews = {"Redis'": time.time() - seconds - micros / 1e6}
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):  # that has a line of its own
        ahead_s = await clock_of(http, URL(settings.api.base_url))
        skews |= {} if ahead_s is None else {"the API's": ahead_s}
    ok = all(abs(skew) < _SKEW_S for skew in skews.values())
    detail = ", ".join(f"{abs(skew):.1f} s from {whose} clock" for whose, skew in skews.items())
    return Check(name="clock", ok=ok, detail=detail, hint="" if ok else _HINTS["clock"])


async def _api(redis: ArqRedis, http: aiohttp.ClientSession, settings: Settings) -> Check:
    grant = await TokenSource(redis, http, account=settings.account, api=settings.api).fetch()
    ok = "AI" in grant.scope.split()
    lasts = timedelta(seconds=grant.expires_in)
    detail = f"{settings.api.base_url} gave a token with scope {grant.scope!r} for {lasts}"
    return Check(name="api", ok=ok, detail=detail, hint="" if ok else "the app lacks the permission AI")


async def _webhook(settings: Settings) -> Check:
    try:
        detail = await reached(URL(settings.webhook.url.rstrip("/")), api=URL(settings.api.base_url))
    except OutsideError as error:
        return Check(name="webhook_url", ok=False, detail=str(error), hint=_HINTS["webhook_url"])
    return Check(name="webhook_url", ok=True, detail=detail, hint="")


async def _objects(settings: Settings) -> Check:
    await ObjectStore(settings).reach()
    where = settings.objects.url or settings.data_dir / "objects"
    return Check(name="objects", ok=True, detail=f"{where} answers", hint="")
