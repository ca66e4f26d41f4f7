"""What the front door's handlers work with, built once by the composition root and found under one `AppKey`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Settings
from webhook.metrics import Metrics
from webhook.receiver import Receiver
from webhook.waiting import Waiting
from worker.enrollment.steps import Policy
from worker.intake import Intake
from worker.queue.jobs import Queue
from worker.store.apikeys import ApiKeys
from worker.store.batches import Batches
from worker.store.endpoints import Endpoints
from worker.store.events import Bell, EventLog
from worker.store.journal import Journal
from worker.store.manifests import Manifests
from worker.store.objects import ObjectStore
from worker.store.shortlists import Shortlists
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
    events: EventLog
    bell: Bell
    waiting: Waiting
    endpoints: Endpoints
    batches: Batches
    manifests: Manifests
    keys: ApiKeys
    shortlists: Shortlists
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    now: Callable[[], datetime] = utc_now


ROOM = web.AppKey("room", Room)
