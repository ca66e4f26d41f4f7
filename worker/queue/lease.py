"""Leases in Redis: take due jobs in bulk, hold on to them, give them back; each one script, by the server's clock.

arq's keys keep their names: the queue's sorted set, the payload, the in-progress key (which here says who holds the
job, by which call, and how many crashes it was in), the tries, the result.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix, retry_key_prefix
from redis.asyncio import Redis

from worker.queue.scripts import MOST, Call, Script, run

_MEMORY_MS = 24 * 3600 * 1000  # how long after the lease a crash is remembered
_T = TypeVar("_T")
_CLAIM, _FINISH, _RENEW = map(Script.named, ("claim", "finish", "renew"))


class Claim(NamedTuple):
    """A job that is held now. `number`: of the call that took it; `crashes`: how often its holder died with it."""

    job_id: str
    number: int
    payload: bytes | None
    due_ms: float
    job_try: int
    crashes: int


class Finish(NamedTuple):
    """A job to give back: done, or due again in some ms.

    A refunded try does not count; a refunded job that is due at once has its old place in the queue again.
    `keep_ms`: how long the result is kept, 0 for ever.
    """

    claim: Claim
    again_ms: int | None = None
    refund: bool = False
    result: bytes = b""
    keep_ms: int = 0


class Turn(NamedTuple):
    """What came of one: the jobs taken; the ids of those given back too late, and of those that others hold by now."""

    claims: list[Claim]
    late: set[str]
    lost: set[str]


class Leases:
    """The jobs of one queue as one worker holds them; `token` tells it from all others."""

    def __init__(self, redis: Redis, *, queue_name: str, lease: timedelta, token: str) -> None:
        self._redis = redis
        self._queue_name = queue_name
        self._lease_ms = round(lease.total_seconds() * 1000)
        self._memory_ms = self._lease_ms + _MEMORY_MS
        self._token = token
        self._number = 1
        self._is_unsure = False
        self._ahead_s = time.time() - time.monotonic()

    async def turn(self, finished: Sequence[Finish], *, claim: int, renew: Sequence[str] = ()) -> Turn:
        """Give jobs back, hold on to others for another lease, and take new ones, in one round trip.

        A claim whose answer was lost is repeated by the next turn, which then takes what that one took.
        """
        queue = (self._queue_name,)
        calls = [Call(_FINISH, queue, self._finish_args(part)) for part in _parts(finished)]
        calls += [Call(_RENEW, queue, self._renew_args("", part)) for part in _parts(renew)]
        has_claim = claim > 0 or self._is_unsure
        if has_claim:
            keys = (self._queue_name, claimed(self._queue_name, self._token))
            calls.append(Call(_CLAIM, keys, self._claim_args(min(claim, MOST))))
        self._is_unsure = has_claim
        answers = await run(self._redis, calls) if calls else []
        claims = self._taken(answers.pop()) if has_claim else []
        ids = [{job_id.decode() for job_id in answer} for answer in answers]
        late = len(_parts(finished))
        return Turn(claims, set().union(*ids[:late]), set().union(*ids[late:]))

    def _taken(self, answer: list[Any]) -> list[Claim]:
        now_ms, *rows = answer
        number = self._number
        self._number, self._is_unsure = number + 1, False
        self._ahead_s = now_ms / 1000 - time.monotonic()
        return [Claim(row[0].decode(), number, row[1], float(row[2]), int(row[3]), int(row[4])) for row in rows]

    def now(self) -> datetime:
        """The server's clock, as the last claim told it."""
        return datetime.fromtimestamp(self._ahead_s + time.monotonic(), UTC)

    async def begin_alone(self, claim: Claim) -> bool:
        """Write down that a held suspect runs from now on, so that a crash is its own; False: it is not held here."""
        (lost,) = await run(self._redis, [Call(_RENEW, (self._queue_name,), self._renew_args("r", [claim.job_id]))])
        return not lost

    async def end(self) -> None:
        """Forget the last call: there will be no other."""
        await self._redis.delete(claimed(self._queue_name, self._token))

    async def set_aside(self, claim: Claim) -> None:
        """Keep the payload of a job that will not be run again, until a person looks."""
        await self._redis.hset(poison(self._queue_name), claim.job_id, claim.payload or b"")  # type: ignore[misc,arg-type]  # redis-py: typed for text and for both clients

    def _finish_args(self, finished: Sequence[Finish]) -> list[Any]:
        prefixes = job_key_prefix, in_progress_key_prefix, retry_key_prefix, result_key_prefix
        args: list[Any] = [self._token, _MEMORY_MS, *prefixes]
        for claim, again_ms, refund, result, keep_ms in finished:
            place = "" if again_ms is None else f"@{claim.due_ms!r}" if refund and again_ms == 0 else again_ms
            args += (claim.job_id, claim.number, place, "1" if refund else "", result, keep_ms)
        return args

    def _renew_args(self, how: str, job_ids: Sequence[str]) -> list[Any]:
        return [self._token, self._lease_ms, self._memory_ms, in_progress_key_prefix, how, *job_ids]

    def _claim_args(self, most: int) -> list[Any]:
        prefixes = job_key_prefix, in_progress_key_prefix, retry_key_prefix
        return [self._token, self._number, most, self._lease_ms, self._memory_ms, *prefixes]


def _parts(some: Sequence[_T]) -> list[Sequence[_T]]:
    return [some[at : at + MOST] for at in range(0, len(some), MOST)]


def poison(queue_name: str) -> str:
    """Hash of payloads by job id: jobs that crashed their worker even alone. No TTL: kept until a person looks."""
    return f"{queue_name}:poison"


def claimed(queue_name: str, token: str) -> str:
    """What a worker's last call took, in case its answer is lost. TTL: as long as a crash is remembered."""
    return f"{queue_name}:claimed:{token}"
