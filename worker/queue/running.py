"""Running one claimed job as arq would: its context, timeout, retries, hooks and result; and what becomes of it.

Where arq deletes a job that it can't run, this one waits: an unknown function, or a payload of a newer version, is for
a newer worker.
"""

import asyncio
from typing import Any, NamedTuple

import structlog
from arq.constants import abort_jobs_ss, keep_cronjob_progress
from arq.cron import CronJob
from arq.jobs import SerializationError, deserialize_job_raw, serialize_result
from arq.utils import ms_to_datetime, timestamp_ms
from arq.worker import Function, JobExecutionFailed, Retry, RetryJob, Worker

from worker.queue.jobs import NewerPayloadError
from worker.queue.lease import Claim, Finish, Leases

_log = structlog.get_logger()
_FOR_A_NEWER_WORKER_MS = 60_000


class NotYet(Retry):
    """The job is to be run again later, and this run is no try: it was not its turn, or Redis was away."""


class Outcome(NamedTuple):
    """How a run ended, in arq's counts, and how the job is given back."""

    complete: bool = False
    failed: bool = False
    again_ms: int | None = None
    refund: bool = False
    result: bytes = b""
    keep_ms: int = 0

    def finish(self, claim: Claim) -> Finish:
        """The job's way back into the queue, or out of it."""
        return Finish(claim, self.again_ms, self.refund, self.result, self.keep_ms)


class _Job(NamedTuple):
    """A payload that was read."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    enqueued_ms: int
    job_try: int


async def run(worker: Worker, claim: Claim, *, leases: Leases) -> Outcome:
    """Run one job; never raises but for its own cancellation."""
    if claim.payload is None:
        _log.warning("job.expired", job=claim.job_id)
        return _FAILED
    try:
        read = deserialize_job_raw(claim.payload, deserializer=worker.job_deserializer)
    except SerializationError as error:
        if isinstance(error.__cause__, NewerPayloadError):
            return _later(claim, reason=str(error.__cause__))
        _log.error("job.unreadable", job=claim.job_id)
        await leases.set_aside(claim)
        return _FAILED
    name, args, kwargs, wanted_try, enqueued_ms = read
    function = worker.functions.get(name)
    if function is None:
        return _later(claim, reason=f"no function {name!r} here")
    job = _Job(name, args, kwargs, enqueued_ms, max(wanted_try or 0, claim.job_try))
    if refusal := await _refusal(worker, claim, job, function):
        return _ended(worker, claim, job, function, success=False, result=refusal, began_ms=timestamp_ms())
    return await _call(worker, claim, job, function)


async def _refusal(worker: Worker, claim: Claim, job: _Job, function: Function | CronJob) -> BaseException | None:
    """Why a job ends before it begins: tried too often, or aborted."""
    most = worker.max_tries if function.max_tries is None else function.max_tries
    if job.job_try > most:
        return JobExecutionFailed(f"max {most} retries exceeded")
    if worker.allow_abort_jobs and await worker.pool.zrem(abort_jobs_ss, claim.job_id):
        return asyncio.CancelledError()
    return None


def _later(claim: Claim, *, reason: str) -> Outcome:
    _log.warning("job.unknown", job=claim.job_id, reason=reason, again_s=_FOR_A_NEWER_WORKER_MS // 1000)
    return Outcome(again_ms=_FOR_A_NEWER_WORKER_MS, refund=True)


async def _call(worker: Worker, claim: Claim, job: _Job, function: Function | CronJob) -> Outcome:
    ctx = {**worker.ctx, "job_id": claim.job_id, "job_try": job.job_try, "score": int(claim.due_ms)}
    ctx["enqueue_time"] = ms_to_datetime(job.enqueued_ms)
    if worker.on_job_start:
        await worker.on_job_start(ctx)
    began_ms = timestamp_ms()
    timeout_s = worker.job_timeout_s if function.timeout_s is None else function.timeout_s
    try:
        worker.job_tasks[claim.job_id] = worker.tasks[claim.job_id]
        try:
            async with asyncio.timeout(timeout_s):
                result = await function.coroutine(ctx, *job.args, **job.kwargs)
        finally:
            del worker.job_tasks[claim.job_id]
    except (Retry, RetryJob) as retry:
        if worker.retry_jobs:
            again_ms = getattr(retry, "defer_score", None) or 0
            outcome = Outcome(again_ms=again_ms, refund=isinstance(retry, NotYet))
        else:
            outcome = _ended(worker, claim, job, function, success=False, result=retry, began_ms=began_ms)
    except asyncio.CancelledError as cancelled:
        if claim.job_id in worker.aborting_tasks:
            worker.aborting_tasks.remove(claim.job_id)
            outcome = _ended(worker, claim, job, function, success=False, result=cancelled, began_ms=began_ms)
        else:
            outcome = Outcome(again_ms=0, refund=True)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- arq's rule: what a function raises is its result
        _log.exception("job.raised", job=claim.job_id, function=job.name)
        outcome = _ended(worker, claim, job, function, success=False, result=error, began_ms=began_ms)
    else:
        outcome = _ended(worker, claim, job, function, success=True, result=result, began_ms=began_ms)
    if worker.on_job_end:
        await worker.on_job_end(ctx)
    return outcome


def _ended(  # noqa: PLR0913 -- what arq's result format asks for
    worker: Worker,
    claim: Claim,
    job: _Job,
    function: Function | CronJob,
    *,
    success: bool,
    result: object,
    began_ms: int,
) -> Outcome:
    keep_s = worker.keep_result_s if function.keep_result_s is None else function.keep_result_s
    is_forever = worker.keep_result_forever if function.keep_result_forever is None else function.keep_result_forever
    if isinstance(function, CronJob):
        keep_s = max(keep_s, keep_cronjob_progress)  # while it lasts, a slower worker can't queue the same tick again
    if not is_forever and keep_s <= 0:
        return _DONE if success else _FAILED
    blob = serialize_result(
        function=job.name,
        args=job.args,
        kwargs=job.kwargs,
        job_try=job.job_try,
        enqueue_time_ms=job.enqueued_ms,
        success=success,
        result=result,
        start_ms=began_ms,
        finished_ms=timestamp_ms(),
        ref=f"{claim.job_id}:{job.name}",
        queue_name=worker.queue_name,
        job_id=claim.job_id,
        serializer=worker.job_serializer,
    )
    keep_ms = 0 if is_forever else max(1, round(keep_s * 1000))
    return Outcome(complete=success, failed=not success, result=blob or b"", keep_ms=keep_ms)


_DONE, _FAILED = Outcome(complete=True), Outcome(failed=True)
