"""arq's worker with leases: a job belongs to a living worker, not to a timeout.

Stock arq hides a killed worker's jobs for the longest job timeout; here a claim holds for one lease and is renewed
while the worker lives, so another takes over within the lease however long jobs may run. A lost Redis doesn't end the
process: the worker is built anew and goes on when Redis answers.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.worker import Function, Worker
from redis.exceptions import RedisError

from config.process import end
from worker.queue.jobs import dumps, loads

_log = structlog.get_logger()
_NEVER = 1_000_000  # tries are counted by the functions themselves; arq's own limit deletes the job
_READ = 1_000  # ids read at one poll: running jobs are among them, so it exceeds the slots of a small cluster
_POLL_S = 0.05
_DRAIN = timedelta(seconds=15)  # less than the 20 s that a supervisor gives before it kills
_RECONNECT_S = 0.5


class LeasingWorker(Worker):
    """arq's worker, holding its jobs by lease."""

    def __init__(
        self, functions: list[Function], *, lease: timedelta, drain: timedelta = _DRAIN, **options: Any
    ) -> None:
        super().__init__(
            functions,
            handle_signals=False,
            max_tries=_NEVER,
            keep_result=0,
            poll_delay=_POLL_S,
            queue_read_limit=_READ,
            job_serializer=dumps,
            job_deserializer=loads,
            health_check_interval=10,
            log_results=False,
            **options,
        )
        self.in_progress_timeout_s = lease.total_seconds()
        self._drain_s = drain.total_seconds()

    async def renew(self) -> None:
        """Hold on to the jobs that run here, three times per lease."""
        lease_ms = round(self.in_progress_timeout_s * 1000)
        while True:
            await asyncio.sleep(self.in_progress_timeout_s / 3)
            with contextlib.suppress(RedisError, OSError):  # the next turn comes before the lease ends
                async with self.pool.pipeline(transaction=False) as pipe:
                    for job_id in self.tasks:
                        pipe.set(in_progress_key_prefix + job_id, b"1", px=lease_ms, xx=True)
                    await pipe.execute()

    async def drain(self) -> None:
        """Take no more jobs, give those that run some seconds, then hand them back."""
        self.allow_pick_jobs = False
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=self._drain_s)
        for task in self.job_tasks.values():
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=5)


async def run_until(stop: asyncio.Event, pool: ArqRedis, *, build: Callable[[], LeasingWorker]) -> None:
    """Keep a worker running until `stop`, through every loss of Redis."""
    while not stop.is_set():
        worker = build()
        work = asyncio.ensure_future(worker.async_run())
        renewal = asyncio.ensure_future(worker.renew())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            await worker.drain()
        outcome, *_ = await end(work, renewal, stopped)
        await end(*worker.job_tasks.values(), *worker.tasks.values())
        if stop.is_set():
            return
        _log.warning("queue.lost", reason=type(outcome).__name__)
        await _answers(pool, stop)


async def _answers(pool: ArqRedis, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(RedisError, OSError):
            await pool.ping()
            _log.info("queue.found")
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _RECONNECT_S)
