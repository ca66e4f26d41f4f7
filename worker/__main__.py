"""The workshop as a process: `python -m worker`. Builds everything the steps need, and takes it down in order.

`--check` looks at what the workshop needs (Redis, the API, webhookUrl, the clock), prints it as JSON and ends.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import structlog
from arq.connections import ArqRedis
from arq.cron import cron
from arq.worker import func
from redis.exceptions import RedisError

from config import process
from config.settings import Settings, SettingsError
from engine.voice import model
from engine.voice.preflight import Rules
from engine.voice.voice import Voice
from worker import functions
from worker.api.client import EnrollmentApi
from worker.api.governor import Governor
from worker.api.token import TokenSource
from worker.check import check
from worker.fetch import Fetcher
from worker.queue.connect import client, close, wait_until_there
from worker.queue.jobs import Queue, queue_name
from worker.queue.leasing import LeasingWorker
from worker.store import keys
from worker.store.journal import Journal
from worker.store.objects import ObjectStore
from worker.store.policy import policy_of
from worker.store.status import StatusStore
from worker.workshop import Workshop

_log = structlog.get_logger()
_PREPARE_TIMEOUT_S = 600  # half an hour of audio over a slow link, on a busy machine
_TIMEOUT_S = 120
_HEALTH_S = 2


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop`."""
    if not settings.webhook.token_key.get_secret_value():
        raise SettingsError("VOXROLL_WEBHOOK_TOKEN_KEY is not set: the front door and the worker need the same one")
    async with opened(settings) as (shop, redis):
        _log.info("worker.started", account=settings.account, api=settings.api.base_url)
        health = asyncio.ensure_future(_tell_health(redis, settings))
        try:
            await _build(shop, redis, stop=stop).main()
        finally:
            health.cancel()
            with contextlib.suppress(RedisError, OSError):
                await redis.delete(keys.health(settings.account))
    _log.info("worker.stopped")


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Workshop, ArqRedis]]:
    """The workshop with everything in it, closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        redis = client(settings.redis, queue_name=queue_name(settings.account))
        stack.push_async_callback(close, redis)
        await wait_until_there(redis, settings.redis)
        timeout = aiohttp.ClientTimeout(total=settings.api.timeout.total_seconds(), sock_connect=10)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "Voxroll/0.1"})
        )
        threads = stack.enter_context(ThreadPoolExecutor(settings.worker.threads, thread_name_prefix="preflight"))
        folder = await asyncio.to_thread(_models, settings)
        voice = await asyncio.to_thread(Voice.load, folder)
        yield _workshop(settings, redis=redis, http=http, voice=voice, threads=threads), redis


def _models(settings: Settings) -> Path:
    return model.ensure(
        settings.cache_dir, name=settings.engine.model, progress=lambda line: _log.info("model.preparing", step=line)
    )


def _workshop(
    settings: Settings, *, redis: ArqRedis, http: aiohttp.ClientSession, voice: Voice, threads: ThreadPoolExecutor
) -> Workshop:
    account, policy = settings.account, policy_of(settings)
    objects = ObjectStore(settings)
    governor = Governor(redis, account=account, calls=settings.api.calls, window=settings.api.window)
    token = TokenSource(redis, http, account=account, api=settings.api)
    return Workshop(
        settings=settings,
        store=StatusStore(redis, account=account, policy=policy, events_kept=settings.retention.events),
        journal=Journal(redis, account=account, keep=settings.retention.journal),
        queue=Queue(redis, account=account),
        objects=objects,
        api=EnrollmentApi(http, api=settings.api, token=token, governor=governor),
        fetcher=Fetcher(objects, intake=settings.intake),
        voice=voice,
        rules=Rules.for_profile(settings.profile),
        threads=threads,
        policy=policy,
    )


def _build(shop: Workshop, redis: ArqRedis, *, stop: asyncio.Event) -> LeasingWorker:
    every = max(1, round(shop.settings.worker.sweep.total_seconds()))
    return LeasingWorker(
        [
            func(functions.prepare, timeout=_PREPARE_TIMEOUT_S),
            func(functions.submit, timeout=_TIMEOUT_S),
            func(functions.reconcile, timeout=_TIMEOUT_S),
            func(functions.look_up, timeout=_TIMEOUT_S),
        ],
        lease=shop.settings.worker.lease,
        stop=stop,
        on_poison=lambda function, args: functions.set_aside(shop, function, args),
        cron_jobs=[cron(functions.sweep, second=set(range(0, 60, min(every, 59))), timeout=_TIMEOUT_S)],
        queue_name=shop.queue.name,
        redis_pool=redis,
        max_jobs=shop.settings.worker.concurrency,
        ctx={"shop": shop},
    )


async def _tell_health(redis: ArqRedis, settings: Settings) -> None:
    who = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
    while True:
        with contextlib.suppress(RedisError, OSError):
            await redis.set(keys.health(settings.account), who, ex=5 * _HEALTH_S)
        await asyncio.sleep(_HEALTH_S)


async def _check(settings: Settings, _stop: asyncio.Event) -> int:
    found = await check(settings)
    sys.stdout.write(json.dumps(found) + "\n")
    return process.EXIT_OK if all(one["ok"] for one in found) else process.EXIT_FAILED


if __name__ == "__main__":
    sys.exit(process.run("worker", _check if "--check" in sys.argv[1:] else serve))
