"""The queues and the arq workers that work them off inside this process.

Fetches, samples, recordings, callbacks and what a client waits for are apart: neither a receiver that doesn't answer,
nor a backlog, nor a recording of an hour delays whoever waits. arq's worker ends when Redis goes away; here it is built
anew until Redis is back. A killed process's jobs run again after the lease: arq marks a running job for longer than
the longest function, here the mark is shorter and renewed while the job runs. arq looks at its queue now and then; here
the bell makes it look at once.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.worker import Worker, func
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from config.process import end
from engine.service.bell import Bell
from engine.service.jobs import WAITING_TTL_MS, to_json

_MORE_S = 5.0  # arq's own timeout would drop the job: ours comes first
_TRIES_MOST = 1_000_000  # how often is decided by desk and callbacks, not by arq
_POLL_S = 0.1  # the bell is quicker; this is for what becomes due, and for a bell that wasn't heard
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0)

_log = structlog.get_logger()


class _Worker(Worker):
    """arq's worker, ended between two polls: a cancellation in the midst of a command may be swallowed by redis-py.

    Args:
        lease: how long the mark on a running job lives.
        rung: set when something is in the queue.
        options: arq's own.
    """

    def __init__(self, *, lease: timedelta, rung: asyncio.Event, **options: Any) -> None:
        super().__init__(**options)
        self._rung = rung
        self._is_stopped = False
        self.in_progress_timeout_s = lease.total_seconds()
        self._renewed_s = 0.0

    async def main(self) -> None:
        """Work until stopped, or until Redis goes away."""
        self.ctx["redis"] = self.pool
        while not self._is_stopped:
            self._rung.clear()
            await self._poll_iteration()
            await self._renew()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), self.poll_delay_s)

    def stop(self) -> None:
        """End after this poll."""
        self._is_stopped = True
        self._rung.set()

    def _release_sem_dec_counter_on_complete(self) -> None:
        """Look at once for what may take the place of a job that has ended."""
        super()._release_sem_dec_counter_on_complete()
        self._rung.set()

    async def _renew(self) -> None:
        """Prolong the marks on the jobs that run here, three times a lease."""
        now_s = self.loop.time()
        if not self.tasks or now_s - self._renewed_s < self.in_progress_timeout_s / 3:
            return
        self._renewed_s = now_s
        async with self.pool.pipeline(transaction=False) as pipe:
            for job_id in self.tasks:
                pipe.pexpire(in_progress_key_prefix + job_id, timedelta(seconds=self.in_progress_timeout_s))
            await pipe.execute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One queue and the worker on it.

    Attributes:
        queue_name: the sorted set; the log knows the lane by its last word.
        function: arq's name of what is done.
        work: does it, given the id of a job.
        work_s: how long that takes at most.
        max_jobs: jobs in flight.
        make_pool: makes the connections of one worker; arq closes them with it.
        lease: a killed process's jobs run again after this long.
        bell: rings when something is put into the queue.
    """

    queue_name: str
    function: str
    work: Callable[[str], Awaitable[None]]
    work_s: float
    max_jobs: int
    make_pool: Callable[[], ConnectionPool]
    lease: timedelta
    bell: Bell

    @property
    def name(self) -> str:
        """For the log."""
        return self.queue_name.rpartition(":")[2]

    async def run(self) -> None:
        """Work until cancelled, whatever becomes of Redis."""
        lost = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                with self.bell.listening(self.queue_name) as rung:
                    await self._work(rung)
            except Exception as error:  # noqa: BLE001  whatever ended arq's loop, the next one goes on
                if not isinstance(error, (RedisError, OSError)):
                    _log.exception("queue.failed", queue=self.name)
                lost = 0 if asyncio.get_running_loop().time() - began > _BACKOFF_S[-1] else lost + 1
                wait_s = _BACKOFF_S[min(lost, len(_BACKOFF_S) - 1)]
                _log.warning("queue.lost", queue=self.name, reason=type(error).__name__, again_s=wait_s)
            await asyncio.sleep(wait_s)

    async def _work(self, rung: asyncio.Event) -> None:
        worker = self._worker(rung)
        try:
            await _run(worker)
        finally:
            await _close(worker)

    def _worker(self, rung: asyncio.Event) -> _Worker:
        redis = ArqRedis(self.make_pool(), default_queue_name=self.queue_name, expires_extra_ms=WAITING_TTL_MS)
        timeout_s = self.work_s + _MORE_S

        async def work(ctx: dict[str, Any], job_id: str) -> None:  # noqa: ARG001  arq hands it over
            await self.work(job_id)

        return _Worker(
            lease=self.lease,
            rung=rung,
            functions=[func(work, name=self.function, timeout=timeout_s, keep_result=0)],
            queue_name=self.queue_name,
            redis_pool=redis,
            handle_signals=False,
            max_jobs=self.max_jobs,
            job_timeout=timeout_s,
            keep_result=0,
            max_tries=_TRIES_MOST,
            poll_delay=_POLL_S,
            expires_extra_ms=WAITING_TTL_MS,
            job_serializer=to_json,
            job_deserializer=json.loads,
            log_results=False,
        )


async def _run(worker: _Worker) -> None:
    """Let a worker work until Redis goes away or this is cancelled."""
    main = asyncio.create_task(worker.main())
    try:
        await asyncio.shield(main)
    finally:
        worker.stop()
        await asyncio.wait({main})


async def _close(worker: Worker) -> None:
    """Give back the jobs that are running, so that another process has them at once, and drop the connections."""
    await end(*worker.tasks.values())
    with suppress(RedisError, OSError):
        await worker.pool.aclose(close_connection_pool=True)
