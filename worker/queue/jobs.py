"""Jobs: names, ids and payloads, and the one way into the queue.

Payloads are JSON, never pickle: whoever can write to Redis must not be able to run code here. Ids say what the job is
for, so that the same work is queued once; the work itself is safe to repeat.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.worker import JobExecutionFailed
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from worker.enrollment.record import Attempt, Record, RecordingId, SpeakerId

_ERROR = "$error"


def queue_name(account: str) -> str:
    """Sorted set of job ids by due time in ms, as arq has it. No TTL: empties as the jobs are done."""
    return f"vx:{{{account}}}:queue"


@dataclass(frozen=True, slots=True)
class Job:
    """One job: what to run, with what, under which id, not before when."""

    function: str
    args: tuple[str, ...]
    job_id: str
    at: datetime | None = None


def prepare(account: str, speaker_id: SpeakerId, recording_id: RecordingId) -> Job:
    """Measure one recording and cut its sample."""
    return Job("prepare", (speaker_id, recording_id), f"{account}:prepare:{speaker_id}:{recording_id}")


def submit(account: str, record: Record, *, at: datetime) -> Job:
    """Hand in the speaker's next sample; the number of attempts so far tells one submission from the next."""
    begun = sum(len(sample.attempts) for sample in record.samples)
    return Job("submit", (record.speaker_id,), f"{account}:submit:{record.speaker_id}:{begun}", at)


def look_up(account: str, speaker_id: SpeakerId, recording_id: RecordingId, attempt: Attempt) -> Job:
    """Ask the API how an attempt ended."""
    args = (speaker_id, recording_id, attempt.attempt_id)
    return Job("look_up", args, f"{account}:look_up:{attempt.attempt_id}")


def reconcile(account: str, callback_id: str) -> Job:
    """Make one callback a fact."""
    return Job("reconcile", (callback_id,), f"{account}:reconcile:{callback_id}")


class Queue:
    """The way into the queue of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self.account = account
        self.name = queue_name(account)

    async def put(self, jobs: Iterable[Job]) -> None:
        """Queue jobs in one round trip; a job whose id is queued or running already is left as it is."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for job in jobs:
                self.stage(pipe, job)
            if len(pipe):
                await pipe.execute()

    def stage(self, pipe: Pipeline, job: Job) -> None:
        """Add to a transaction what queues the job. The payload has no TTL: a backlog of any age is kept."""
        now = datetime.now(UTC)
        now_ms = int(now.timestamp() * 1000)  # rounded up, it would not be due yet by a clock that agrees
        due_ms = max(now_ms, round(job.at.timestamp() * 1000)) if job.at else now_ms
        payload = serialize_job(job.function, job.args, {}, None, now_ms, serializer=dumps)
        pipe.set(job_key_prefix + job.job_id, payload, nx=True)
        pipe.zadd(self.name, {job.job_id: due_ms}, nx=True)


def dumps(value: dict[str, Any]) -> bytes:
    """JSON bytes. An error in a result is told by its name and its words."""
    return json.dumps(value, separators=(",", ":"), default=_told).encode()


def loads(payload: bytes) -> dict[str, Any]:
    """The other way round; an error comes back as arq's `JobExecutionFailed`, a cancellation as itself."""
    known: dict[str, Any] = json.loads(payload, object_hook=_heard)
    return known


def _told(value: object) -> object:
    return {_ERROR: [type(value).__name__, str(value)]} if isinstance(value, BaseException) else str(value)


def _heard(value: dict[str, Any]) -> object:
    if _ERROR not in value:
        return value
    name, words = value[_ERROR]
    return asyncio.CancelledError() if name == "CancelledError" else JobExecutionFailed(f"{name}: {words}")
