"""arq's worker with leases: jobs are taken in bulk, belong to a living worker, and are given back in bulk.

Stock arq claims one job in four round trips, hides a killed worker's jobs for the longest job timeout, drops what it
can't run, and ends when Redis restarts. Here one round trip gives back all finished jobs and takes as many new ones,
those for free slots and some ahead; a claim holds for one lease, is renewed while the worker lives, and only its holder
may give it back. arq's keys, functions, cron, abort, health, results and burst stay. A job that was in two crashes is
run alone, then set aside.
"""

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog
from arq.utils import to_unix_ms
from arq.worker import Function, Worker
from redis.exceptions import RedisError, ResponseError

from config.points import point
from config.process import end, is_cancelled
from worker.queue.jobs import dumps, loads
from worker.queue.lease import Claim, Finish, Leases
from worker.queue.pace import Pace
from worker.queue.running import Outcome, run
from worker.queue.scripts import MOST

_log = structlog.get_logger()
_NEVER = 1_000_000  # tries are counted by the functions themselves; arq's own limit deletes the job
_POLL_S = 0.05
_DRAIN = timedelta(seconds=15)  # less than the 20 s that a supervisor gives before it kills
_GIVE_BACK_S = 5.0
_RECONNECT_S = 0.5
_COALESCE_S = 0.002  # finished jobs wait so long for company, as long as no slot waits with them
_CHORES_S = 0.25  # how often cron, health and aborts are seen to; arq's cron looks a second ahead
_REFUSED_S = 10.0
_MISRUN_MS = 60_000  # a hook failed, or Redis in the midst of it: no fault of the job
_CRON_S, _CRON_KEEP = 0.5, timedelta(days=1)  # how far cron looks ahead at least, and how long a tick waits at most
_SUSPECT, _POISON = 2, 5  # crashes; three of them alone, as something else may have ended the worker

OnPoison = Callable[[str, tuple[Any, ...]], Awaitable[None]]


class LeasingWorker(Worker):
    """arq's worker, holding its jobs by lease.

    Args:
        functions: as arq has them.
        lease: a killed worker's jobs run again after this long.
        stop: set it to end the worker in good order.
        drain: how long running jobs are given then.
        on_poison: told of a job that is set aside, with its function and arguments.
        options: arq's own, `redis_pool` among them; `after_job_end` is not called.
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
        self._leases = Leases(self.pool, queue_name=self.queue_name, lease=lease, token=uuid.uuid4().hex)
        self._lease_s = lease.total_seconds()
        self._drain_s = drain.total_seconds()
        self._stop = stop
        self._wake = asyncio.Event()
        self._on_poison = on_poison
        self._pace = Pace()
        self._ahead: deque[Claim] = deque()  # held, not begun
        self._suspects: deque[Claim] = deque()  # held, to be run alone
        self._finished: list[Finish] = []
        self._renewed_s = self._chores_s = time.monotonic()
        self._is_more = self._is_cut_off = False

    async def main(self) -> None:
        """Work until `stop`, through every loss of Redis; in burst mode until the queue is empty."""
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        stopping = asyncio.create_task(self._wake_at_stop())
        try:
            while not (self._stop.is_set() or is_cancelled()):
                if await self._turn_or_wait(claim=self._wanted()):
                    if self.burst and await self._is_worked_off():
                        break
                    await self._until_something_happens()
            await self._drain()
        finally:
            await end(stopping, *self.tasks.values())

    async def _turn_or_wait(self, *, claim: int) -> bool:
        """One turn; False if Redis did not answer, after a pause. What was to be given back is kept."""
        try:
            await self._turn(claim=claim)
        except (RedisError, OSError) as error:
            if not self._is_cut_off:  # one line an outage, not two a second
                _log.warning("queue.lost", reason=type(error).__name__)
            self._is_cut_off = True
            await asyncio.sleep(_RECONNECT_S)
            return False
        if self._is_cut_off:
            _log.info("queue.found")
        self._is_cut_off = False
        return True

    async def _turn(self, *, claim: int) -> None:
        """Give back what is finished, hold on to what is not, take what is due; then the chores, if it is time."""
        if not self._pace.ahead():  # all slots are taken by long jobs: others may have free ones
            self._hand_back(self._ahead)
        finished, self._finished = self._finished, []
        asked_s = time.monotonic()
        is_time = asked_s >= self._renewed_s + self._lease_s / 3
        held = [*self.tasks, *(one.job_id for one in (*self._ahead, *self._suspects))] if is_time else []
        try:
            claims, late, lost = await self._leases.turn(finished, claim=claim, renew=held)
        except (RedisError, OSError):
            self._finished = finished + self._finished
            raise
        self._renewed_s = asked_s if is_time else self._renewed_s
        self._is_more = 0 < min(claim, MOST) <= len(claims)
        self._let_go(lost)
        if not self._is_cut_off:  # else the turn whose answer did not come may have given it back
            for job_id in late:
                _log.warning("job.superseded", job=job_id)
        if claims:
            point("queue.claimed")
        self._take(claims)
        await self._see_to_suspects()
        await self._see_to_chores()

    def _wanted(self) -> int:
        """How many jobs to take: one for each free slot and some ahead; 0 while suspects wait, or one runs alone."""
        if self._suspects or not self.allow_pick_jobs:
            return 0
        held = len(self.tasks) + len(self._ahead)
        wanted = self.max_jobs + min(self._pace.ahead(), self.max_jobs) - held
        if self.burst and self.max_burst_jobs >= 0:
            wanted = min(wanted, self.max_burst_jobs - self._jobs_started() - len(self._ahead))
        return max(wanted, 0)

    def _take(self, claims: list[Claim]) -> None:
        for claim in claims:
            if claim.crashes >= _POISON:
                self._start(claim, self._set_aside(claim))
            elif claim.crashes >= _SUSPECT:
                _log.warning("job.suspected", job=claim.job_id, crashes=claim.crashes)
                self._suspects.append(claim)
            else:
                self._ahead.append(claim)
        self._fill_slots()

    def _fill_slots(self) -> None:
        """Begin what is held, unless this worker was held up for so long that others may hold it by now."""
        if self.allow_pick_jobs and time.monotonic() < self._renewed_s + self._lease_s:
            while self._ahead and len(self.tasks) < self.max_jobs:
                claim = self._ahead.popleft()
                self._start(claim, run(self, claim, leases=self._leases))

    async def _see_to_suspects(self) -> None:
        if self._suspects and not self.tasks and not self._ahead and self.allow_pick_jobs:
            alone = self._suspects[0]
            if await self._leases.begin_alone(alone):
                self._start(alone, run(self, alone, leases=self._leases))
            else:
                self._suspects.popleft()

    def _start(self, claim: Claim, work: Coroutine[Any, Any, Outcome]) -> None:
        task = asyncio.create_task(work)
        self.tasks[claim.job_id] = task
        task.add_done_callback(lambda done: self._give_back(claim, done))

    def _give_back(self, claim: Claim, done: "asyncio.Task[Outcome]") -> None:
        self.tasks.pop(claim.job_id, None)
        if self._suspects and self._suspects[0] is claim:
            self._suspects.popleft()
        outcome = _outcome(claim, done)
        self.jobs_complete += outcome.complete
        self.jobs_retried += outcome.again_ms is not None
        self.jobs_failed += outcome.failed
        point("queue.finished")
        self._finished.append(outcome.finish(claim))
        self._pace.ended()
        self._fill_slots()
        self._wake.set()

    def _hand_back(self, claims: deque[Claim]) -> None:
        """Give back what was not begun: its try, its crashes and its place in the queue stay as they were."""
        unbegun = [claim for claim in claims if claim.job_id not in self.tasks]
        self._finished += [Finish(claim, again_ms=0, refund=True) for claim in unbegun]
        claims.clear()

    async def _set_aside(self, claim: Claim) -> Outcome:
        """Put a job away that crashed its worker even when it ran alone."""
        _log.error("job.poison", job=claim.job_id, crashes=claim.crashes)
        await self._leases.set_aside(claim)
        if self._on_poison and claim.payload:
            job = loads(claim.payload)
            await self._on_poison(job["f"], tuple(job["a"]))
        return Outcome(failed=True)

    async def _until_something_happens(self) -> None:
        """A finished job, more due jobs for free slots, `stop`, the next poll; then a moment for others to finish."""
        if self._is_more and self._wanted():
            return
        self._wake.clear()
        if not self._finished:
            poll = asyncio.get_running_loop().call_later(self.poll_delay_s, self._wake.set)
            await self._wake.wait()
            poll.cancel()
        if self._ahead:
            await asyncio.sleep(_COALESCE_S)

    async def _wake_at_stop(self) -> None:
        await self._stop.wait()
        self._wake.set()

    async def _is_worked_off(self) -> bool:
        if 0 <= self.max_burst_jobs <= self._jobs_started():
            return True
        is_idle = not (self.tasks or self._finished or self._ahead or self._suspects)
        return is_idle and await self.pool.zcard(self.queue_name) == 0

    async def _see_to_chores(self) -> None:
        """Aborts, health and cron, now and then. A Redis that refuses them (it is full) may still be worked off."""
        if time.monotonic() < self._chores_s:
            return
        self._chores_s = time.monotonic() + _CHORES_S
        try:
            if self.allow_abort_jobs:
                await self._cancel_aborted_jobs()
            await self.heart_beat()
        except ResponseError as error:
            _log.warning("queue.refused", reason=str(error)[:200], again_s=_REFUSED_S)
            self._chores_s = time.monotonic() + _REFUSED_S

    async def heart_beat(self) -> None:
        """Tell health, and queue what cron says; by the server's clock, which all workers share."""
        await self.record_health()
        await self.run_cron(self._leases.now().astimezone(self.timezone), max(self.poll_delay_s, _CRON_S))

    async def run_cron(self, n: datetime, delay: float, num_windows: int = 2) -> None:
        """As arq's, except that this machine's clock is not asked."""
        for job in self.cron_jobs:
            if job.next_run is None and not job.run_at_startup:
                job.calculate_next(n)
                continue
            tick = job.next_run or n
            if tick < n + timedelta(seconds=delay * num_windows):
                unique = f"{job.name}:{to_unix_ms(tick)}" if job.unique else None
                options: dict[str, Any] = {"_job_id": job.job_id or unique, "_queue_name": self.queue_name}
                await self.pool.enqueue_job(job.name, _defer_until=tick, _expires=_CRON_KEEP, **options)
                job.calculate_next(tick)

    def _let_go(self, lost: set[str]) -> None:
        """Leave alone what somebody else holds."""
        self._ahead = deque(one for one in self._ahead if one.job_id not in lost)
        self._suspects = deque(one for one in self._suspects if one.job_id not in lost or one.job_id in self.tasks)
        for job_id in lost & self.job_tasks.keys():
            _log.warning("job.superseded", job=job_id)
            self.job_tasks[job_id].cancel()

    async def _drain(self) -> None:
        """Hand back what was not begun, give the jobs that run some seconds, then take them back to be run again."""
        self.allow_pick_jobs = False
        await self._wind_down(self._drain_s)
        if self.tasks:
            for task in self.job_tasks.values():
                task.cancel()
            await self._wind_down(_GIVE_BACK_S)
        if not self._is_cut_off:
            with contextlib.suppress(RedisError, OSError):
                await self.pool.delete(self.health_check_key)
                await self._leases.end()

    async def _wind_down(self, patience_s: float) -> None:
        """Give back what ends, until nothing runs any more; without Redis, the lease ends what could not be given."""
        give_up_s = time.monotonic() + patience_s
        while True:
            self._hand_back(self._ahead)
            self._hand_back(self._suspects)
            is_done = await self._turn_or_wait(claim=0) and not self._finished
            if (not self.tasks and (is_done or self._is_cut_off)) or time.monotonic() > give_up_s:
                return
            await self._until_something_happens()


def _outcome(claim: Claim, done: "asyncio.Task[Outcome]") -> Outcome:
    if done.cancelled():
        return Outcome(again_ms=0, refund=True)
    if error := done.exception():
        _log.error("job.misrun", job=claim.job_id, reason=repr(error)[:200], again_s=_MISRUN_MS // 1000)
        return Outcome(again_ms=_MISRUN_MS, refund=True)
    return done.result()
