"""The front door as an aiohttp application: its adapters, its routes."""

from collections.abc import AsyncIterator, Callable

from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Settings
from webhook import callbacks, enrollments, health, speakers
from webhook.metrics import Metrics
from webhook.problems import problems
from webhook.receiver import Receiver
from webhook.room import ROOM, Room, utc_now
from worker.intake import Intake
from worker.queue.connect import client, close, wait_until_there
from worker.queue.jobs import Queue, queue_name
from worker.store.journal import Journal
from worker.store.objects import ObjectStore
from worker.store.policy import policy_of
from worker.store.status import StatusStore


def create_app(settings: Settings) -> web.Application:
    """The application; it connects when it starts."""
    app = web.Application(middlewares=[problems])
    app.cleanup_ctx.append(_room(settings))
    app.add_routes(
        [
            web.post("/v1/callbacks/{token}", callbacks.receive),
            web.get("/v1/callbacks", callbacks.page),
            web.get("/v1/callbacks/{callback_id}", callbacks.one),
            web.post("/v1/callbacks/{callback_id}/replay", callbacks.replay),
            web.post("/v1/enrollments", enrollments.enroll),
            web.get("/v1/speakers", speakers.page),
            web.get("/v1/speakers/{speaker_id}", speakers.one),
            web.delete("/v1/speakers/{speaker_id}", speakers.erase),
            web.post("/v1/speakers/{speaker_id}/recordings/{recording_id}/accept", speakers.accept),
            web.post("/v1/speakers/{speaker_id}/recordings/{recording_id}/reject", speakers.reject),
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
            yield
            await app[ROOM].receiver.close()
        finally:
            await close(redis)

    return furnish


def _furnished(settings: Settings, redis: ArqRedis) -> Room:
    account, policy, retention = settings.account, policy_of(settings), settings.retention
    store = StatusStore(redis, account=account, policy=policy, events_kept=retention.events)
    queue = Queue(redis, account=account)
    journal = Journal(redis, account=account, keep=retention.journal, most_bytes=retention.journal_bytes)
    metrics = Metrics()
    return Room(
        settings=settings,
        redis=redis,
        store=store,
        journal=journal,
        queue=queue,
        objects=ObjectStore(settings),
        intake=Intake(store, queue, policy=policy),
        policy=policy,
        metrics=metrics,
        receiver=Receiver(settings, journal=journal, metrics=metrics, now=utc_now),
    )
