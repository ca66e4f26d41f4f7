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
_GIVE_BACK_S = 5.0
_RECONNECT_S = 0.5


class LeasingWorker(Worker):
    """arq's worker, holding its jobs by lease."""

    def __init__(
        self,
        functions: list[Function],
        *,
        lease: timedelta,
        stop: asyncio.Event,
        drain: timedelta = _DRAIN,
        **options: Any,
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
        self._stop = stop
        self._over = asyncio.Event()

    async def main(self) -> None:
        """Work until `stop`, then hand back what still runs.

        arq's own loop is ended by a cancellation, which may hit it in the midst of a command: redis-py then loses the
        connection, or swallows the cancellation. This one is ended between two polls.
        """
        self.ctx["redis"] = self.pool
        renewal = asyncio.ensure_future(self._renew())
        try:
            while not self._stop.is_set():
                await self._poll_iteration()
                await _pause(self._stop, self.poll_delay_s)
            await self._drain()
        finally:
            self._over.set()
            await renewal
            await end(*self.job_tasks.values(), *self.tasks.values())

    async def _renew(self) -> None:
        """Hold on to the jobs that run here, three times per lease."""
        lease_ms = round(self.in_progress_timeout_s * 1000)
        while not self._over.is_set():
            await _pause(self._over, self.in_progress_timeout_s / 3)
            with contextlib.suppress(RedisError, OSError):  # the next turn comes before the lease ends
                async with self.pool.pipeline(transaction=False) as pipe:
                    for job_id in self.tasks:
                        pipe.set(in_progress_key_prefix + job_id, b"1", px=lease_ms, xx=True)
                    await pipe.execute()

    async def _drain(self) -> None:
        """Give the jobs that run some seconds, then take them back to be run again."""
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=self._drain_s)
        for task in self.job_tasks.values():
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=_GIVE_BACK_S)


async def run_until(stop: asyncio.Event, pool: ArqRedis, *, build: Callable[[], LeasingWorker]) -> None:
    """Keep a worker running until `stop`, through every loss of Redis."""
    while not stop.is_set():
        try:
            await build().main()
        except (RedisError, OSError) as error:
            _log.warning("queue.lost", reason=type(error).__name__)
            await _answers(pool, stop)


async def _answers(pool: ArqRedis, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(RedisError, OSError):
            await pool.ping()
            _log.info("queue.found")
            return
        await _pause(stop, _RECONNECT_S)


async def _pause(until: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the event."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until.wait(), seconds)
