"""Jobs: names, ids and payloads, and the one way into the queue.

Payloads are JSON, never pickle: whoever can write to Redis must not be able to run code here. Ids say what the job is
for, so that the same work is queued once; the work itself is safe to repeat. An id begins with the account's hash tag,
so that all keys of a job live on one shard with the queue.
"""

import asyncio
import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arq.constants import job_key_prefix
from arq.worker import JobExecutionFailed
from redis.asyncio import Redis

from worker.enrollment.record import Attempt, Record, RecordingId, SpeakerId
from worker.enrollment.states import is_urgent
from worker.queue.scripts import MOST, Call, Script, run

_BEFORE_MS = 3_600_000  # what waits longer is not overtaken, so that nothing waits for ever
VERSION = 1  # of payloads; a worker leaves those of a later version to newer workers
_ERROR = "$error"
_ENQUEUE = Script.named("enqueue")


class NewerPayloadError(Exception):
    """A payload that a newer version wrote."""


def queue_name(account: str) -> str:
    """Sorted set of job ids by due time in ms, as arq has it. No TTL: empties as the jobs are done."""
    return f"vx:{{{account}}}:queue"


@dataclass(frozen=True, slots=True)
class Job:
    """One job: what to run, with what, under which id, not before when, and whether it goes before batches."""

    function: str
    args: tuple[str, ...]
    job_id: str
    at: datetime | None = None
    is_urgent: bool = False


def prepare(account: str, record: Record, recording_id: RecordingId) -> Job:
    """Measure one recording and cut its sample."""
    args = (record.speaker_id, recording_id)
    return Job("prepare", args, f"{{{account}}}:prepare:{':'.join(args)}", is_urgent=is_urgent(record))


def submit(account: str, record: Record, *, at: datetime) -> Job:
    """Hand in the speaker's next sample; the number of attempts and decisions so far tells one from the next."""
    begun = sum(
        len(sample.attempts) + len(sample.former) + sum(map(bool, (sample.held, sample.released_at, sample.declined)))
        for sample in record.samples
    )
    job_id = f"{{{account}}}:submit:{record.speaker_id}:{begun}"
    return Job("submit", (record.speaker_id,), job_id, at, is_urgent=is_urgent(record))


def look_up(account: str, speaker_id: SpeakerId, recording_id: RecordingId, attempt: Attempt) -> Job:
    """Ask the API how an attempt ended."""
    args = (speaker_id, recording_id, attempt.attempt_id)
    return Job("look_up", args, f"{{{account}}}:look_up:{attempt.attempt_id}")


def look_through(account: str, page: int, *, worth: int, turn: int, at: datetime | None = None) -> Job:
    """Settle open attempts by one page of the API's list."""
    return Job("look_through", (str(page), str(worth), str(turn)), f"{{{account}}}:look_through:{turn}:{page}", at)


def shortlist(account: str, shortlist_id: str, source: str, channel: int | None) -> Job:
    """Look for the speakers who may be the people in a recording; somebody waits for it."""
    args = (shortlist_id, source, "" if channel is None else str(channel))
    return Job("shortlist", args, f"{{{account}}}:shortlist:{shortlist_id}", is_urgent=True)


def unenroll(account: str, record: Record) -> Job:
    """Delete what API and object store hold of an erased speaker; the time of the last tells it from the next."""
    last = int(record.unenrolled_at.timestamp() * 1000) if record.unenrolled_at else 0
    return Job("unenroll", (record.speaker_id,), f"{{{account}}}:unenroll:{record.speaker_id}:{last}")


def renew(account: str, record: Record, *, at: datetime) -> Job:
    """Have the API delete what is to be enrolled anew; the time of the last deletion tells it from the next."""
    last = int(record.era.timestamp() * 1000) if record.era else 0
    job_id = f"{{{account}}}:renew:{record.speaker_id}:{last}"
    return Job("renew", (record.speaker_id,), job_id, at, is_urgent=is_urgent(record))


def reconcile(account: str, callback_id: str) -> Job:
    """Make one callback a fact."""
    return Job("reconcile", (callback_id,), f"{{{account}}}:reconcile:{callback_id}")


def payload_of(job: Job, *, now_ms: int) -> bytes:
    """What Redis keeps of a job under `job_key_prefix` and its id: what arq's `serialize_job` makes, and the version.

    It has no TTL, since a backlog of any age is kept.
    """
    return dumps({"t": None, "f": job.function, "a": job.args, "k": {}, "et": now_ms, "v": VERSION})


class Queue:
    """The way into the queue of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self.account = account
        self.name = queue_name(account)

    async def put(self, jobs: Iterable[Job]) -> None:
        """Queue jobs in one round trip; a job whose id is queued or running already is left as it is.

        By the server's clock: a job with a time of its own is due after as long as it is from now, the others at once,
        in the order given; an urgent one as if it had been due for an hour, before all that stands in the queue since.
        """
        now_s = time.time()
        now_ms = int(now_s * 1000)
        args: list[Any] = []
        for job in jobs:
            wait_ms = math.ceil(1000 * (job.at.timestamp() - now_s)) if job.at else 0  # differences: clocks disagree
            place = wait_ms if wait_ms > 0 else -_BEFORE_MS if job.is_urgent else ""
            args += (job.job_id, payload_of(job, now_ms=now_ms), place)
        parts = [args[at : at + 3 * MOST] for at in range(0, len(args), 3 * MOST)]
        if parts:
            await run(self._redis, [Call(_ENQUEUE, (self.name,), [job_key_prefix, *part]) for part in parts])

    async def waiting(self) -> int:
        """How many jobs are due and not begun."""
        seconds, micros = await self._redis.time()
        return int(await self._redis.zcount(self.name, "-inf", seconds * 1000 + micros / 1000))

    async def holds(self, job: Job) -> bool:
        """Whether the job is queued or running."""
        return bool(await self._redis.exists(job_key_prefix + job.job_id))


def dumps(value: dict[str, Any]) -> bytes:
    """JSON bytes. An error in a result is told by its name and its words."""
    return _encode(value).encode()


def loads(payload: bytes) -> dict[str, Any]:
    """The other way round; an error comes back as arq's `JobExecutionFailed`, a cancellation as itself.

    Raises:
        NewerPayloadError: a newer version wrote it.
        ValueError: it is no JSON object.
    """
    known: dict[str, Any] = _decode(payload.decode())
    if known.get("v", VERSION) > VERSION:
        raise NewerPayloadError(f"payload of version {known['v']}, {VERSION} is known here")
    return known


def _told(value: object) -> object:
    return {_ERROR: [type(value).__name__, str(value)]} if isinstance(value, BaseException) else str(value)


def _heard(value: dict[str, Any]) -> object:
    if _ERROR not in value:
        return value
    name, words = value[_ERROR]
    return asyncio.CancelledError() if name == "CancelledError" else JobExecutionFailed(f"{name}: {words}")


_encode = json.JSONEncoder(separators=(",", ":"), default=_told).encode
_decode = json.JSONDecoder(object_hook=_heard).decode
