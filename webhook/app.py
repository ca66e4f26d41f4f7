"""The front door as an aiohttp application: its adapters, its routes."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from arq.connections import ArqRedis

from config.process import end
from config.settings import Settings
from webhook import (
    batches,
    callbacks,
    endpoints,
    enrollments,
    events,
    health,
    openapi,
    reports,
    rollback,
    roster,
    shortlists,
    speakers,
    trace,
)
from webhook.access import access
from webhook.idempotency import RENEW_S, idempotent
from webhook.metrics import Metrics
from webhook.problems import problems
from webhook.receiver import Receiver
from webhook.room import ROOM, Room, utc_now
from webhook.waiting import Waiting
from worker.intake import Intake
from worker.queue.connect import client, close, wait_until_there
from worker.queue.jobs import Queue, queue_name
from worker.store.apikeys import ApiKeys
from worker.store.batches import Batches
from worker.store.endpoints import Endpoints
from worker.store.events import Bell, EventLog
from worker.store.journal import Journal
from worker.store.manifests import Manifests
from worker.store.objects import ObjectStore
from worker.store.policy import policy_of
from worker.store.shortlists import Shortlists
from worker.store.status import StatusStore

_ONE_BATCH = "/v1/batches/{batch_id:[^/:]+}"  # what is done to one is named behind a colon


def create_app(settings: Settings, *, renew_s: float = RENEW_S) -> web.Application:
    """The application; it connects when it starts. Keys of requests under way are held anew every `renew_s`."""
    app = web.Application(middlewares=[problems, access(settings.webhook), idempotent(renew_s)])
    app.cleanup_ctx.append(_room(settings))
    app.on_shutdown.append(_close)
    app.add_routes(
        [
            web.post("/v1/callbacks/{callback_id}", callbacks.receive),
            web.get("/v1/callbacks", callbacks.page),
            web.get("/v1/callbacks/{callback_id}", callbacks.one),
            web.post("/v1/callbacks/{callback_id}/replay", callbacks.replay),
            web.post("/v1/enrollments", enrollments.enroll),
            web.get("/v1/roster", roster.roster),
            web.get("/v1/speakers", speakers.page),
            web.get("/v1/speakers/{speaker_id}", speakers.one),
            web.delete("/v1/speakers/{speaker_id}", speakers.erase),
            web.post("/v1/speakers/{speaker_id}/retry", speakers.retry),
            web.post("/v1/speakers/{speaker_id}/recordings/{recording_id}/accept", speakers.accept),
            web.post("/v1/speakers/{speaker_id}/recordings/{recording_id}/reject", speakers.reject),
            web.post("/v1/batches", batches.add),
            web.get("/v1/batches", batches.page),
            web.get(_ONE_BATCH, batches.one),
            web.delete(_ONE_BATCH, batches.forget),
            web.post("/v1/batches/{batch_id}:pause", batches.pause),
            web.post("/v1/batches/{batch_id}:resume", batches.resume),
            web.post("/v1/batches/{batch_id}:cancel", batches.cancel),
            web.post("/v1/batches/{batch_id}:rollback", rollback.rollback),
            web.get("/v1/batches/{batch_id}/rollback.jsonl", rollback.preview),
            web.get("/v1/batches/{batch_id}/report.csv", reports.report_csv),
            web.get("/v1/batches/{batch_id}/report.jsonl", reports.report_jsonl),
            web.get("/v1/batches/{batch_id}/rerun.jsonl", reports.rerun_jsonl),
            web.post("/v1/lookup", speakers.lookup),
            web.post("/v1/shortlists", shortlists.add),
            web.get("/v1/shortlists/{shortlist_id}", shortlists.one),
            web.get("/v1/events", events.events),
            web.post("/v1/events", events.trigger),
            web.get("/v1/events/{event_id}", events.one),
            web.get("/v1/events/{event_id}/trace", trace.trace),
            web.get("/v1/event-types", events.catalogue),
            web.post("/v1/endpoints", endpoints.add),
            web.get("/v1/endpoints", endpoints.listing),
            web.get("/v1/endpoints/{endpoint_id}", endpoints.one),
            web.delete("/v1/endpoints/{endpoint_id}", endpoints.remove),
            web.post("/v1/endpoints/{endpoint_id}/rotate", endpoints.rotate),
            web.post("/v1/endpoints/{endpoint_id}/enable", endpoints.enable),
            web.post("/v1/endpoints/{endpoint_id}/disable", endpoints.disable),
            web.post("/v1/endpoints/{endpoint_id}/replay", endpoints.replay),
            web.get("/openapi.json", openapi.serve),
            web.get("/docs", openapi.reference),
            web.get("/healthz", health.healthz),
            web.get("/readyz", health.readyz),
            web.get("/metrics", health.metrics),
        ]
    )
    return app


def _room(settings: Settings) -> Callable[[web.Application], AsyncIterator[None]]:
    async def furnish(app: web.Application) -> AsyncIterator[None]:
        redis = client(settings.redis, queue_name=queue_name(settings.account))
        try:
            await wait_until_there(redis, settings.redis)
            app[ROOM] = _furnished(settings, redis)
            following = [asyncio.create_task(one.run()) for one in (app[ROOM].waiting, app[ROOM].bell)]
            yield
            await end(*following)
            await app[ROOM].receiver.close()
        finally:
            await close(redis)

    return furnish


async def _close(app: web.Application) -> None:
    """Let those go who follow the events, or wait: they would keep their connections open."""
    app[ROOM].closing.set()
    app[ROOM].waiting.wake_all()


def _furnished(settings: Settings, redis: ArqRedis) -> Room:
    account, policy, retention = settings.account, policy_of(settings), settings.retention
    store = StatusStore(redis, account=account, policy=policy, events_kept=retention.events)
    queue = Queue(redis, account=account)
    journal = Journal(redis, account=account, keep=retention.journal, most_bytes=retention.journal_bytes)
    metrics = Metrics()
    events = EventLog(redis, account=account, kept=retention.events)
    objects, bell = ObjectStore(settings), Bell(events)
    return Room(
        settings=settings,
        redis=redis,
        store=store,
        journal=journal,
        queue=queue,
        objects=objects,
        intake=Intake(store, queue, policy=policy),
        policy=policy,
        metrics=metrics,
        receiver=Receiver(settings, journal=journal, events=events, metrics=metrics, now=utc_now),
        events=events,
        bell=bell,
        waiting=Waiting(events, bell),
        endpoints=Endpoints(redis, account=account),
        batches=Batches(redis, account=account, events_kept=retention.events),
        manifests=Manifests(objects, account=account),
        keys=ApiKeys(redis, account=account),
        shortlists=Shortlists(redis, account=account),
    )
