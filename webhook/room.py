"""What the front door's handlers work with, built once by the composition root and found under one `AppKey`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Settings
from webhook.metrics import Metrics
from webhook.receiver import Receiver
from worker.enrollment.steps import Policy
from worker.intake import Intake
from worker.queue.jobs import Queue
from worker.store.journal import Journal
from worker.store.objects import ObjectStore
from worker.store.status import StatusStore


def utc_now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The front door's adapters."""

    settings: Settings
    redis: ArqRedis
    store: StatusStore
    journal: Journal
    queue: Queue
    objects: ObjectStore
    intake: Intake
    policy: Policy
    metrics: Metrics
    receiver: Receiver
    now: Callable[[], datetime] = utc_now


ROOM = web.AppKey("room", Room)
