"""The front door as an aiohttp application: its adapters, its routes."""

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from config.settings import Settings
from webhook import callbacks, enrollments, health, speakers
from webhook.metrics import Metrics
from webhook.problems import problems
from webhook.room import ROOM, Room
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
            web.post("/v1/enrollments", enrollments.enroll),
            web.get("/v1/speakers", speakers.page),
            web.get("/v1/speakers/{speaker_id}", speakers.one),
            web.get("/healthz", health.healthz),
            web.get("/readyz", health.readyz),
            web.get("/metrics", health.metrics),
        ]
    )
    return app


def _room(settings: Settings) -> Callable[[web.Application], AsyncIterator[None]]:
    async def furnish(app: web.Application) -> AsyncIterator[None]:
        account, policy = settings.account, policy_of(settings)
        redis = client(settings.redis, queue_name=queue_name(account))
        await wait_until_there(redis, settings.redis)
        store = StatusStore(redis, account=account, policy=policy, events_kept=settings.retention.events)
        queue = Queue(redis, account=account)
        app[ROOM] = Room(
            settings=settings,
            redis=redis,
            store=store,
            journal=Journal(redis, account=account, keep=settings.retention.journal),
            queue=queue,
            objects=ObjectStore(settings),
            intake=Intake(store, queue, policy=policy),
            policy=policy,
            metrics=Metrics(),
        )
        yield
        await close(redis)

    return furnish
