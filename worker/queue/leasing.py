"""arq's worker with leases: jobs are taken in bulk, belong to a living worker, and are given back in bulk.

Stock arq claims one job in four round trips, hides a killed worker's jobs for the longest job timeout, drops what it
can't run, and ends when Redis restarts. Here one round trip gives back all finished jobs and takes as many new ones;
a claim holds for one lease, is renewed while the worker lives, and only its holder may give it back. arq's keys,
functions, cron, abort, health, results and burst stay. A job that was in two crashes is run alone, then set aside.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog
from arq.worker import Function, Worker
from redis.exceptions import RedisError

from config.process import end
from worker.queue.jobs import dumps, loads
from worker.queue.lease import Claim, Finish, Leases
from worker.queue.running import Outcome, run

_log = structlog.get_logger()
_NEVER = 1_000_000  # tries are counted by the functions themselves; arq's own limit deletes the job
_POLL_S = 0.05
_DRAIN = timedelta(seconds=15)  # less than the 20 s that a supervisor gives before it kills
_GIVE_BACK_S = 5.0
_RECONNECT_S = 0.5
_COALESCE_S = 0.001  # finished jobs wait so long for company before a round trip is spent on them
_MISRUN_MS = 60_000  # a hook failed, or Redis in the midst of it: no fault of the job
_SUSPECT, _POISON = 2, 3  # crashes

OnPoison = Callable[[str, tuple[Any, ...]], Awaitable[None]]


class LeasingWorker(Worker):
    """arq's worker, holding its jobs by lease.

    Args:
        functions: as arq has them.
        lease: a killed worker's jobs run again after this long.
        stop: set it to end the worker in good order.
        drain: how long running jobs are given then.
        on_poison: told of a job that is set aside, with its function and arguments.
        options: arq's own; `keep_result`, `max_tries` and others keep their meaning.
    """

    def __init__(
        self,
        functions: list[Function],
        *,
        lease: timedelta,
        stop: asyncio.Event,
        drain: timedelta = _DRAIN,
        on_poison: OnPoison | None = None,
        **options: Any,
    ) -> None:
        usual: dict[str, Any] = {"max_tries": _NEVER, "keep_result": 0, "poll_delay": _POLL_S, "log_results": False}
        usual |= {"health_check_interval": 10, "job_serializer": dumps, "job_deserializer": loads}
        super().__init__(functions, handle_signals=False, **usual | options)
        token = uuid.uuid4().hex
        self._leases = Leases(self.pool, queue_name=self.queue_name, lease=lease, token=token)
        self._lease_s = lease.total_seconds()
        self._drain_s = drain.total_seconds()
        self._stop = stop
        self._over = asyncio.Event()
        self._on_poison = on_poison
        self._finished: list[Finish] = []
        self._freed = asyncio.Event()
        self._suspects: list[Claim] = []
        self._is_lost = False

    async def main(self) -> None:
        """Work until `stop`, through every loss of Redis; in burst mode until the queue is empty."""
        self.ctx["redis"] = self.pool
        renewal = asyncio.ensure_future(self._renew())
        try:
            while not self._stop.is_set():
                if not await self._turn_or_wait():
                    continue
                if self.burst and await self._is_worked_off():
                    break
                await self._until_something_happens()
            await self._drain()
        finally:
            self._over.set()
            await renewal
            await end(*self.job_tasks.values(), *self.tasks.values())

    async def _turn_or_wait(self) -> bool:
        """One turn; False if Redis did not answer, after a pause. What was to be given back is kept."""
        try:
            await self._turn()
        except (RedisError, OSError) as error:
            if not self._is_lost:  # one line an outage, not two a second
                _log.warning("queue.lost", reason=type(error).__name__)
            self._is_lost = True
            await _pause(self._stop, _RECONNECT_S)
            return False
        if self._is_lost:
            _log.info("queue.found")
        self._is_lost = False
        return True

    async def _turn(self) -> None:
        """Give back what is finished, take what is due, see to cron, aborts and health."""
        finished, self._finished = self._finished, []
        try:
            lost, claims = await self._leases.turn(finished, claim=self._free_slots())
        except (RedisError, OSError):
            self._finished = finished + self._finished
            raise
        for job_id in lost:
            _log.warning("job.superseded", job=job_id)
        await self._see_to(claims)
        if self.allow_abort_jobs:
            await self._cancel_aborted_jobs()
        await self.heart_beat()

    def _free_slots(self) -> int:
        """How many jobs may be taken; 0 while a suspect waits to be run alone, or runs."""
        if self._suspects or not self.allow_pick_jobs:
            return 0
        free = self.max_jobs - len(self.tasks)
        if self.burst and self.max_burst_jobs >= 0:
            free = min(free, self.max_burst_jobs - self._jobs_started())
        return max(free, 0)

    async def _see_to(self, claims: list[Claim]) -> None:
        for claim in claims:
            if claim.crashes >= _POISON:
                await self._park(claim)
            elif claim.crashes == _SUSPECT:
                _log.warning("job.suspected", job=claim.job_id, crashes=claim.crashes)
                self._suspects.append(claim)
            else:
                self._start(claim)
        if self._suspects and not self.tasks:
            alone = self._suspects[0]
            await self._leases.begin_alone(alone)
            self._start(alone)

    def _start(self, claim: Claim) -> None:
        task = asyncio.ensure_future(run(self, claim, leases=self._leases))
        self.tasks[claim.job_id] = task
        task.add_done_callback(lambda done: self._give_back(claim, done))

    def _give_back(self, claim: Claim, done: "asyncio.Task[Outcome]") -> None:
        self.tasks.pop(claim.job_id, None)
        if self._suspects and self._suspects[0] is claim:
            self._suspects.pop(0)
        outcome = _outcome(claim, done)
        self.jobs_complete += outcome.complete
        self.jobs_retried += outcome.finish.again_ms is not None
        self.jobs_failed += outcome.failed
        self._finished.append(outcome.finish_of(claim.job_id))
        self._freed.set()

    async def _park(self, claim: Claim) -> None:
        """Set a job aside that crashed its worker even when it ran alone."""
        _log.error("job.poison", job=claim.job_id, crashes=claim.crashes)
        await self._leases.set_aside(claim)
        self._finished.append(Finish(job_id=claim.job_id))
        if self._on_poison and claim.payload:
            job = loads(claim.payload)
            await self._on_poison(job["f"], tuple(job["a"]))

    async def _until_something_happens(self) -> None:
        """A finished job, `stop`, or the next poll; then a moment for others to finish too."""
        self._freed.clear()
        if not self._finished:
            waits = [asyncio.ensure_future(event.wait()) for event in (self._freed, self._stop)]
            await asyncio.wait(waits, timeout=self.poll_delay_s, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        if self.tasks:
            await asyncio.sleep(_COALESCE_S)

    async def _is_worked_off(self) -> bool:
        if 0 <= self.max_burst_jobs <= self._jobs_started():
            return True
        return not self.tasks and not self._finished and await self.pool.zcard(self.queue_name) == 0

    async def _renew(self) -> None:
        """Hold on to the jobs that are held here, three times per lease; let go of what somebody else holds."""
        while not self._over.is_set():
            await _pause(self._over, self._lease_s / 3)
            held = [*self.tasks, *(one.job_id for one in self._suspects), *(one.job_id for one in self._finished)]
            if not held:
                continue
            with contextlib.suppress(RedisError, OSError):  # the next turn comes before the lease ends
                for job_id in await self._leases.renew(held):
                    if job_id in self.job_tasks:
                        _log.warning("job.superseded", job=job_id)
                        self.job_tasks[job_id].cancel()

    async def _drain(self) -> None:
        """Give the jobs that run some seconds, then take them back to be run again; give everything back."""
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=self._drain_s)
        for task in self.job_tasks.values():
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=_GIVE_BACK_S)
        await asyncio.sleep(0)  # done callbacks run
        self._finished += [Finish(job_id=one.job_id, again_ms=0) for one in self._suspects]
        with contextlib.suppress(RedisError, OSError):  # else the lease ends them
            await self._leases.turn(self._finished, claim=0)
            await self.pool.delete(self.health_check_key)


def _outcome(claim: Claim, done: "asyncio.Task[Outcome]") -> Outcome:
    if done.cancelled():
        return Outcome.again(refund=True)
    if error := done.exception():
        _log.error("job.misrun", job=claim.job_id, reason=repr(error)[:200], again_s=_MISRUN_MS // 1000)
        return Outcome.again(after_ms=_MISRUN_MS, refund=True)
    return done.result()


async def _pause(until: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the event."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until.wait(), seconds)
