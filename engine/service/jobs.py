"""Jobs in Redis: what was asked with a webhook, what came of it, and the queue entries that make it happen.

A job and its place in the queue are written in one transaction, and so are its answer and the callback's place: a
crash leaves both or neither. Payloads of arq are JSON, never pickle; they carry the job's id and nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from pydantic import TypeAdapter
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from engine.service import keys
from engine.service.enrollment import Ask
from engine.service.orders import Diarize, Identify, Kind, Order, Task
from engine.service.store import reaching, script, whole

WAITING_TTL_MS = 30 * 86_400_000  # a backlog of a month is still worked off; arq's own day would drop it
FETCH = "fetch_media"
RUN = "run_order"
DELIVER = "deliver_callback"
_HEADSTART_MS = 86_400_000  # arq goes by the wall clock: one that is put back must not hide what is due
_ANSWERED_LEAST_MS = 3_600_000  # an answer that came late is still there for its callback and a look
_AWAITED_MS = 600_000  # whoever waited has it by then, or has been told to ask again

Status = Literal["InProgress", "Success", "Fail"]
STATUSES: tuple[Status, ...] = get_args(Status)


_TASKS: Mapping[Kind, TypeAdapter[Task]] = {
    Kind.ENROLL: TypeAdapter(Ask),
    Kind.IDENTIFY: TypeAdapter(Identify),
    Kind.DIARIZE: TypeAdapter(Diarize),
}


@dataclass(frozen=True, slots=True)
class Job:
    """An order and how far it is.

    Attributes:
        response: what the contract answers, also of a failure.
        code: the HTTP status that goes with it.
    """

    order: Order
    status: Status
    response: dict[str, Any] | None
    code: int | None
    completed_ms: int | None
    deliveries: int


class Jobs:
    """Jobs of one account.

    Args:
        redis: client that answers in bytes.
        account: all keys live under it.
        kept: how long an answered job can be looked up, from its creation.
    """

    def __init__(self, redis: Redis, *, account: str, kept: timedelta) -> None:
        self._redis = redis
        self._account = account
        self._kept_ms = int(kept.total_seconds() * 1000)
        self._finish = redis.register_script(script("finish.lua"))

    async def put(self, order: Order) -> None:
        """Write a job and put it in the queue, both or neither."""
        key = keys.job(self._account, order.job_id)
        with reaching():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(key, mapping={**_written(order), "status": "InProgress"})
                pipe.pexpire(key, WAITING_TTL_MS)
                if order.content_uri:
                    self._enqueue(pipe, keys.fetches(self._account), FETCH, order)
                else:
                    self._enqueue(pipe, self._computing(order), RUN, order)
                await pipe.execute()

    async def fetched(self, order: Order) -> None:
        """Put a job whose audio has come into the queue of those that compute."""
        with reaching():
            async with self._redis.pipeline(transaction=True) as pipe:
                self._enqueue(pipe, self._computing(order), RUN, order)
                await pipe.execute()

    def _computing(self, order: Order) -> str:
        """The queue of a job that computes.

        What a client waits for passes a backlog by, and a recording of an hour must not hold up enrollments.
        """
        if order.awaited:
            return keys.awaited(self._account)
        return (keys.samples if order.kind is Kind.ENROLL else keys.recordings)(self._account)

    def _enqueue(self, pipe: Pipeline, queue: str, function: str, order: Order) -> None:
        arq_id = keys.arq_id(queue, order.job_id)
        pipe.set(job_key_prefix + arq_id, _payload(function, order), px=WAITING_TTL_MS)
        pipe.zadd(queue, {arq_id: order.asked_ms - _HEADSTART_MS})
        pipe.publish(keys.bell(self._account), queue)

    async def get(self, job_id: str) -> Job | None:
        """A job, or None if there is none (any more)."""
        with reaching():
            found = await whole(self._redis, keys.job(self._account, job_id))
        return _job(found) if "status" in found else None

    async def finish(
        self, order: Order, *, status: Status, response: Mapping[str, Any], now_ms: int, code: int = 200
    ) -> bool:
        """End a job, put its callback, if it is to have one, in the queue, and ring; False if it had ended before."""
        queue = keys.callbacks(self._account)
        arq_id = keys.arq_id(queue, order.job_id)
        end_of_life_ms = max(order.asked_ms + self._kept_ms, now_ms + _ANSWERED_LEAST_MS)
        if order.awaited:
            end_of_life_ms = now_ms + _AWAITED_MS
        with reaching():
            ended = await self._finish(
                keys=[keys.job(self._account, order.job_id), job_key_prefix + arq_id, queue],
                args=[
                    status,
                    json.dumps(response),
                    now_ms,
                    end_of_life_ms,
                    _payload(DELIVER, order) if order.webhook else "",
                    WAITING_TTL_MS,
                    arq_id,
                    now_ms - _HEADSTART_MS,
                    code,
                    keys.bell(self._account),
                    order.job_id if order.awaited else queue,
                ],
            )
        return bool(ended)

    async def count(self, job_id: str, what: Literal["unended", "fetches", "deliveries"], by: int = 1) -> int:
        """Add to a counter of a job: runs that began and didn't end, failed fetches, or callbacks not accepted."""
        with reaching():
            return int(await self._redis.hincrby(keys.job(self._account, job_id), what, by))  # type: ignore[misc]  # typed for both clients

    def envelope(self, job: Job) -> dict[str, Any]:
        """JobStatusResponse of the contract."""
        order = job.order
        told: dict[str, Any] = {
            "jobId": order.job_id,
            "api": order.api,
            "creationTime": iso(order.asked_ms),
            "expirationTime": iso(order.asked_ms + self._kept_ms),
            "status": job.status,
        }
        if job.completed_ms is not None:
            told |= {"completionTime": iso(job.completed_ms), "response": job.response}
        return told


def iso(at_ms: int) -> str:
    """A time as the contract writes it: ISO 8601 with milliseconds and Z."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(payload: dict[str, Any]) -> bytes:
    """Serializer for arq."""
    return json.dumps(payload).encode()


def _payload(function: str, order: Order) -> bytes:
    made = serialize_job(function, (order.job_id,), {}, None, order.asked_ms, serializer=to_json)
    if made is None:
        raise TypeError("a job's id is always JSON")
    return made


def _written(order: Order) -> dict[str, str | int | bytes]:
    return {
        "job_id": order.job_id,
        "kind": str(order.kind),
        "task": _TASKS[order.kind].dump_json(order.task),
        "asked_ms": order.asked_ms,
        "api": order.api,
        "request_id": order.request_id,
        "webhook": order.webhook,
        "content_uri": order.content_uri,
        "awaited": int(order.awaited),
    }


def _job(found: Mapping[str, bytes]) -> Job:
    text = {name: value.decode() for name, value in found.items()}
    order = Order(
        job_id=text["job_id"],
        task=_TASKS[Kind(text["kind"])].validate_json(text["task"]),
        asked_ms=int(text["asked_ms"]),
        api=text["api"],
        request_id=text["request_id"],
        webhook=text["webhook"],
        content_uri=text["content_uri"],
        awaited=text["awaited"] == "1",
    )
    return Job(
        order=order,
        status=next(status for status in STATUSES if status == text["status"]),
        response=json.loads(text["response"]) if "response" in text else None,
        code=int(text["code"]) if "code" in text else None,
        completed_ms=int(text["completed_ms"]) if "completed_ms" in text else None,
        deliveries=int(text.get("deliveries", "0")),
    )
