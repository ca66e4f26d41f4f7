"""The workshop as a process: `python -m worker`.

`--check` looks at what the workshop needs (Redis, the API, webhookUrl, the clock, the object store), prints it as JSON
and ends.
`--reseal` seals all voices under the current key, says how many, and ends: 0 if none is left out.
`--audit` recomputes what was sent and applied, prints each exception as a line of JSON and ends: 0 if there is none;
`--since=TIME` looks at what changed from then on.
`--migrate ACCOUNT` enrolls everybody of that account anew, as the account and at the API of the settings.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any, NoReturn

import structlog
from arq.connections import ArqRedis
from arq.cron import cron
from arq.worker import func
from redis.exceptions import RedisError

from config import process
from config.settings import Settings, SettingsError
from worker import functions
from worker import migrate as migrating
from worker.audit import Auditor, report
from worker.check import check
from worker.contract.speaker import from_record
from worker.deliver import Ways
from worker.deliveries import Deliveries, poster
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.record import SpeakerId
from worker.feed import Feeder
from worker.feed import Ways as Feeding
from worker.furnishing import api_of, connected, journal_of, opened, store_of
from worker.intake import Intake
from worker.leading import Leading
from worker.piece import Taking
from worker.queue.jobs import Queue
from worker.queue.leasing import LeasingWorker
from worker.reseal import Resealer, refuse_wrong_key
from worker.seal import VoiceSeal
from worker.store import keys
from worker.store.endpoints import Endpoints
from worker.store.events import Bell, EventLog
from worker.store.manifests import Manifests
from worker.store.objects import ObjectStore
from worker.store.policy import policy_of
from worker.store.voices import VoiceStore
from worker.workshop import Workshop, utc_now

_log = structlog.get_logger()
_SLACK_S = 30  # steps end themselves; arq's own timeout would drop the job
_TIMEOUT_S = functions.LONGEST_S + _SLACK_S
_HEALTH_S = 2
_SINCE = "--since="


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop`."""
    if not settings.webhook.token_key.get_secret_value():
        raise SettingsError("VOXROLL_WEBHOOK_TOKEN_KEY is not set: the front door and the worker need the same one")
    async with opened(settings) as (shop, redis):
        await refuse_wrong_key(VoiceStore(redis, account=settings.account), VoiceSeal.of(settings))
        await work(shop, redis, stop)


async def work(shop: Workshop, redis: ArqRedis, stop: asyncio.Event) -> None:
    """Work in a furnished workshop until `stop`."""
    settings = shop.settings
    _log.info("worker.started", account=settings.account, api=settings.api.base_url)
    health = asyncio.ensure_future(_tell_health(redis, settings))
    led = asyncio.gather(_deliver(shop, redis, stop=stop), _feed(shop, redis, stop=stop))
    try:
        await _build(shop, redis, stop=stop).main()
    finally:
        health.cancel()
        stop.set()
        await led
        with contextlib.suppress(RedisError, OSError):
            await redis.delete(keys.health(settings.account))
    _log.info("worker.stopped")


def _build(shop: Workshop, redis: ArqRedis, *, stop: asyncio.Event) -> LeasingWorker:
    every = max(1, round(shop.settings.worker.sweep.total_seconds()))
    sweep = f"{{{shop.queue.account}}}:sweep"  # its ids begin so: the hash tag keeps them on the queue's shard
    return LeasingWorker(
        [
            func(functions.prepare, timeout=functions.LONGEST_PREPARE_S + _SLACK_S),
            func(functions.submit, timeout=_TIMEOUT_S),
            func(functions.reconcile, timeout=_TIMEOUT_S),
            func(functions.look_up, timeout=_TIMEOUT_S),
            func(functions.look_through, timeout=_TIMEOUT_S),
            func(functions.unenroll, timeout=_TIMEOUT_S),
            func(functions.renew, timeout=_TIMEOUT_S),
            func(functions.shortlist, timeout=functions.LONGEST_PREPARE_S + _SLACK_S),
        ],
        lease=shop.settings.worker.lease,
        stop=stop,
        on_poison=lambda function, args: functions.set_aside(shop, function, args),
        cron_jobs=[cron(functions.sweep, name=sweep, second=set(range(0, 60, min(every, 59))), timeout=_TIMEOUT_S)],
        queue_name=shop.queue.name,
        redis_pool=redis,
        max_jobs=shop.settings.worker.concurrency,
        ctx={"shop": shop},
    )


async def _deliver(shop: Workshop, redis: ArqRedis, *, stop: asyncio.Event) -> None:
    """Bring events to their endpoints."""
    settings = shop.settings
    log = EventLog(redis, account=settings.account, kept=settings.retention.events)

    async def document(speaker_id: str) -> dict[str, Any] | None:
        stored = await shop.store.get(SpeakerId(speaker_id))
        return from_record(stored.record, now=shop.now(), policy=shop.policy).to_wire() if stored.version else None

    async with poster(allow_private=settings.endpoints.allow_private) as post:
        ways = Ways(log, Endpoints(redis, account=settings.account), post, document, shop.now)
        await Deliveries(ways, Bell(log)).run(stop)


async def _feed(shop: Workshop, redis: ArqRedis, *, stop: asyncio.Event) -> None:
    """Bring the rows of batches in."""
    settings = shop.settings
    ways = Feeding(
        shop=shop,
        manifests=Manifests(shop.objects, account=settings.account),
        taking=Taking(shop.store, Intake(shop.store, shop.queue, policy=shop.policy), now=shop.now),
        events=EventLog(redis, account=settings.account, kept=settings.retention.events),
    )
    await Leading(shop.batches, names=shop.batches.open, begin=lambda name: Feeder(ways, name)).run(stop)


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


async def _reseal(settings: Settings, _stop: asyncio.Event) -> int:
    """Seal all voices under the current key."""
    async with connected(settings) as (redis, _):
        walk = Resealer(
            voices=VoiceStore(redis, account=settings.account),
            objects=ObjectStore(settings),
            records=store_of(settings, redis),
            seal=VoiceSeal.of(settings),
            account=settings.account,
        )
        try:
            done = await walk.run()
        except RetryLaterError as error:
            raise process.UnavailableError(f"{error.code}: {error.message}; what is done stays done") from error
    _log.info("reseal.incomplete" if done.failed else "reseal.ended", **asdict(done))
    return process.EXIT_FAILED if done.failed else process.EXIT_OK


async def _audit(settings: Settings, _stop: asyncio.Event) -> int:
    """Print every exception as a line of JSON, now and then how far it is, in the end the sums."""
    async with connected(settings) as (redis, http):
        auditor = Auditor(
            store=store_of(settings, redis),
            journal=journal_of(settings, redis),
            queue=Queue(redis, account=settings.account),
            api=api_of(settings, redis, http),
            policy=policy_of(settings),
            now=utc_now,
            pause=asyncio.sleep,
            since=_since(sys.argv[1:]),
        )
        try:
            async for line in report(auditor):
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
        except RetryLaterError as error:
            raise process.UnavailableError(f"{error.code}: {error.message}") from error
    return process.EXIT_FAILED if auditor.tally.exceptions else process.EXIT_OK


async def _migrate(settings: Settings, stop: asyncio.Event) -> int:
    """Enroll everybody of the account that is named last anew, as these settings' account, at these settings' API."""
    named = settings.model_copy(update={"account": sys.argv[-1]})
    async with opened(settings) as (shop, redis):
        source = migrating.Source(store_of(named, redis), VoiceSeal.of(named))
        return await migrating.run(shop, source, work=lambda over: _build(shop, redis, stop=over).main(), stop=stop)


def _since(arguments: list[str]) -> datetime | None:
    times = [word.removeprefix(_SINCE) for word in arguments if word.startswith(_SINCE)]
    return datetime.fromisoformat(times[-1]) if times else None


_TASKS = {"--check": _check, "--audit": _audit, "--reseal": _reseal, "--migrate": _migrate}


def main() -> NoReturn:
    """Run the process to its end."""
    sys.exit(process.run("worker", next((_TASKS[word] for word in sys.argv[1:] if word in _TASKS), serve)))
