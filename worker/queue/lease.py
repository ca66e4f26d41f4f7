"""Leases in Redis: take due jobs in bulk, hold on to them, give them back; each one script, by the server's clock.

arq's keys keep their names: the queue's sorted set, the payload, the in-progress key (which here says who holds the
job and how many crashes it was in), the tries, the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Any

from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix, retry_key_prefix
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

_MOST = 256  # jobs in one script call: bounds how long Redis is busy, and Lua's stack
_MEMORY = timedelta(days=1)  # how long after the lease a crash is remembered


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is held now. `crashes`: how often its holder died with it."""

    job_id: str
    payload: bytes | None
    due_ms: int
    job_try: int
    crashes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """A job to give back: done, or due again in some ms; a refunded try does not count."""

    job_id: str
    again_ms: int | None = None
    refund: bool = False
    result: bytes = b""
    result_ms: int = 0


class Leases:
    """The jobs of one queue as one worker holds them; `token` tells it from all others."""

    def __init__(self, redis: Redis, *, queue_name: str, lease: timedelta, token: str) -> None:
        self._redis = redis
        self._queue_name = queue_name
        self._lease_ms = round(lease.total_seconds() * 1000)
        self._memory_ms = self._lease_ms + round(_MEMORY.total_seconds() * 1000)
        self._token = token
        self._claim, self._finish, self._renew = map(redis.register_script, _SCRIPTS)

    async def turn(self, finished: Sequence[Finish], *, claim: int) -> tuple[list[str], list[Claim]]:
        """Give jobs back and take others, in one round trip; returns those given back too late, and those taken."""
        calls = [(self._finish, self._finish_args(finished[at : at + _MOST])) for at in range(0, len(finished), _MOST)]
        if claim:
            calls.append((self._claim, self._claim_args(min(claim, _MOST))))
        try:
            answers = await self._call(calls)
        except NoScriptError:  # a new server, or a flushed one; what it did of the turn it does not do twice
            for script in (self._claim, self._finish):
                await self._redis.script_load(script.script)
            answers = await self._call(calls)
        taken = answers.pop() if claim else []
        lost = [job_id.decode() for answer in answers for job_id in answer]
        return lost, [Claim(row[0].decode(), row[1], int(float(row[2])), row[3], row[4]) for row in taken]

    async def _call(self, calls: Sequence[tuple[AsyncScript, list[Any]]]) -> list[Any]:
        if not calls:
            return []
        async with self._redis.pipeline(transaction=False) as pipe:
            for script, args in calls:
                pipe.evalsha(script.sha, 1, self._queue_name, *args)
            return list(await pipe.execute())

    async def renew(self, job_ids: Sequence[str]) -> list[str]:
        """Hold on to jobs for another lease; returns those that somebody else holds."""
        args: list[str | int] = [self._token, self._lease_ms, self._memory_ms, in_progress_key_prefix, *job_ids]
        lost = await self._renew(keys=[self._queue_name], args=args)
        return [job_id.decode() for job_id in lost]

    async def begin_alone(self, claim: Claim) -> None:
        """Write down that a held suspect runs now, so that a crash is its own."""
        hold = f"{self._token}|{claim.crashes}|r"
        await self._redis.set(in_progress_key_prefix + claim.job_id, hold, xx=True, px=self._memory_ms)

    async def set_aside(self, claim: Claim) -> None:
        """Keep the payload of a job that will not be run again, until a person looks."""
        await self._redis.hset(poison(self._queue_name), claim.job_id, claim.payload or b"")  # type: ignore[misc,arg-type]  # redis-py: typed for text and for both clients

    def _finish_args(self, finished: Sequence[Finish]) -> list[Any]:
        args: list[Any] = [self._token, job_key_prefix, in_progress_key_prefix, retry_key_prefix, result_key_prefix]
        for one in finished:
            again = "" if one.again_ms is None else one.again_ms
            args += [one.job_id, again, "1" if one.refund else "", one.result, one.result_ms]
        return args

    def _claim_args(self, most: int) -> list[Any]:
        prefixes = [job_key_prefix, in_progress_key_prefix, retry_key_prefix]
        return [most, self._lease_ms, self._token, self._memory_ms, *prefixes]


def poison(queue_name: str) -> str:
    """Hash of payloads by job id: jobs that crashed their worker even alone. No TTL: kept until a person looks."""
    return f"{queue_name}:poison"


_SCRIPTS = [
    resources.files("worker.queue").joinpath(f"{name}.lua").read_text() for name in ("claim", "finish", "renew")
]
