"""The journal of callbacks: each as it came, before anything is made of it.

`stage` only adds commands to the caller's pipeline: journal and queue are written in one round trip.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from worker.store import keys
from worker.store.fields import read_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One callback: which attempt its token named, and the raw request without its token."""

    callback_id: str
    received_at: datetime
    speaker_id: str
    recording_id: str
    attempt_id: str
    headers: dict[str, str]
    body: bytes


class Journal:
    """Callbacks in Redis for a set time."""

    def __init__(self, redis: Redis, *, account: str, keep: timedelta) -> None:
        self._redis = redis
        self._account = account
        self._keep = keep

    def stage(self, pipe: Pipeline, callback: Callback) -> None:
        """Add to the pipeline what writes the callback down."""
        head = asdict(callback) | {"received_at": callback.received_at.isoformat()}
        body = head.pop("body")
        key = keys.callback(self._account, callback.callback_id)
        pipe.hset(key, mapping={"head": json.dumps(head), "body": body})
        pipe.expire(key, self._keep)
        pipe.zadd(keys.callbacks(self._account), {callback.callback_id: callback.received_at.timestamp() * 1000})

    async def get(self, callback_id: str) -> Callback | None:
        """One callback, or None once its time is over."""
        head, body = await read_fields(self._redis, keys.callback(self._account, callback_id), "head", "body")
        if head is None or body is None:
            return None
        known: dict[str, Any] = json.loads(head)
        received_at = datetime.fromisoformat(known.pop("received_at"))
        return Callback(**known, received_at=received_at, body=body)

    async def forget_old(self) -> None:
        """Drop index entries whose callback has expired."""
        before = (datetime.now(UTC) - self._keep).timestamp() * 1000
        await self._redis.zremrangebyscore(keys.callbacks(self._account), "-inf", before)
