"""Running one claimed job as arq would: its context, timeout, retries, hooks and result; and what becomes of it.

Where arq deletes a job that it can't run, this one waits: an unknown function is for a newer worker.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import structlog
from arq.constants import abort_jobs_ss, keep_cronjob_progress
from arq.cron import CronJob
from arq.jobs import SerializationError, deserialize_job_raw, serialize_result
from arq.utils import ms_to_datetime, timestamp_ms
from arq.worker import Function, JobExecutionFailed, Retry, RetryJob, Worker

from worker.queue.lease import Claim, Finish, Leases

_log = structlog.get_logger()
_UNKNOWN_FUNCTION_MS = 60_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, in arq's three counts, and how the job is given back."""

    finish: Finish
    complete: bool = False
    failed: bool = False

    @classmethod
    def again(cls, *, after_ms: int = 0, refund: bool = False) -> "Outcome":
        """To be run again."""
        return cls(Finish(job_id="", again_ms=after_ms, refund=refund))

    def finish_of(self, job_id: str) -> Finish:
        """The same, named."""
        return replace(self.finish, job_id=job_id)


@dataclass(frozen=True, slots=True)
class _Job:
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
        return Outcome(Finish(job_id=""), failed=True)
    try:
        read = deserialize_job_raw(claim.payload, deserializer=worker.job_deserializer)
    except SerializationError:
        _log.error("job.unreadable", job=claim.job_id)
        await leases.set_aside(claim)
        return Outcome(Finish(job_id=""), failed=True)
    name, args, kwargs, wanted_try, enqueued_ms = read
    job = _Job(name, args, kwargs, enqueued_ms, max(wanted_try or 0, claim.job_try))
    function = worker.functions.get(name)
    if function is None:
        _log.warning("job.unknown", job=claim.job_id, function=name, again_s=_UNKNOWN_FUNCTION_MS // 1000)
        return Outcome.again(after_ms=_UNKNOWN_FUNCTION_MS, refund=True)
    most = worker.max_tries if function.max_tries is None else function.max_tries
    if job.job_try > most:
        failure = JobExecutionFailed(f"max {most} retries exceeded")
        return _ended(worker, claim, job, function, success=False, result=failure, began_ms=timestamp_ms())
    if worker.allow_abort_jobs and await worker.pool.zrem(abort_jobs_ss, claim.job_id):
        aborted = asyncio.CancelledError()
        return _ended(worker, claim, job, function, success=False, result=aborted, began_ms=timestamp_ms())
    return await _call(worker, claim, job, function)


async def _call(worker: Worker, claim: Claim, job: _Job, function: Function | CronJob) -> Outcome:
    ctx = {**worker.ctx, "job_id": claim.job_id, "job_try": job.job_try, "score": claim.due_ms}
    ctx["enqueue_time"] = ms_to_datetime(job.enqueued_ms)
    if worker.on_job_start:
        await worker.on_job_start(ctx)
    began_ms = timestamp_ms()
    timeout_s = worker.job_timeout_s if function.timeout_s is None else function.timeout_s
    try:
        task = asyncio.ensure_future(function.coroutine(ctx, *job.args, **job.kwargs))
        worker.job_tasks[claim.job_id] = task
        try:
            async with asyncio.timeout(timeout_s):
                result = await task
        finally:
            del worker.job_tasks[claim.job_id]
    except Retry as retry:
        outcome = Outcome.again(after_ms=retry.defer_score or 0)
    except RetryJob:
        outcome = Outcome.again()
    except asyncio.CancelledError as cancelled:
        if claim.job_id in worker.aborting_tasks:
            worker.aborting_tasks.remove(claim.job_id)
            outcome = _ended(worker, claim, job, function, success=False, result=cancelled, began_ms=began_ms)
        else:
            outcome = Outcome.again(refund=True)
    except Exception as error:  # noqa: BLE001 -- arq's rule: what a function raises is its result
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
    is_cron = isinstance(function, CronJob)
    if is_cron:
        keep_s = max(keep_s, keep_cronjob_progress)  # while it lasts, a slower worker can't queue the same tick again
    blob = b""
    if keep_s > 0:
        blob = (
            serialize_result(
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
            or b""
        )
    finish = Finish(job_id="", result=blob, result_ms=round(keep_s * 1000))
    return Outcome(finish, complete=success, failed=not success)
