"""Where queued orders are worked off: hear the sample, apply it, end the job.

Runs may be repeated at any point by a crash; the key of the order keeps the sample from being applied twice, and the
job ends once. No exception leaves: what will not do is a Fail, what can't be done now is tried again later.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from arq import Retry

from config.points import point
from engine.service.enroll import Enroller, now_ms
from engine.service.failure import CMN_INTERNAL, ApiError, NotReadyError, StoreAwayError
from engine.service.jobs import Job, Jobs, Order, Status
from engine.service.spool import Spool

RUN_S = 15.0  # one run; under the 20 s of arq, whose own timeout would drop the job
_AGAIN_S = 1.0
_UNENDED_MOST = 10  # runs that crashed or took too long: such audio takes its neighbours' runs with it

_log = structlog.get_logger()


class Desk:
    """Works off orders, one call per run."""

    def __init__(self, jobs: Jobs, spool: Spool, enroller: Enroller) -> None:
        self._jobs = jobs
        self._spool = spool
        self._enroller = enroller

    async def work(self, job_id: str) -> None:
        """Bring a job to its end.

        Raises:
            Retry: not now.
        """
        try:
            job = await self._jobs.get(job_id)
            if job is not None and job.status == "InProgress":
                await self._end(job)
        except StoreAwayError as error:
            raise Retry(defer=_AGAIN_S) from error
        await asyncio.to_thread(self._spool.remove, job_id)

    async def _end(self, job: Job) -> None:
        order, began = job.order, time.monotonic()
        status, response = await self._outcome(order)
        await self._jobs.finish(order, status=status, response=response, now_ms=now_ms())
        point("desk.finished")
        _log.info(
            "job.answered",
            job_id=order.job_id,
            request_id=order.request_id,
            speaker_id=order.speaker_id,
            verb=order.verb,
            status=status,
            error=response["errors"][0]["message"] if status == "Fail" else None,
            waited_s=round((now_ms() - order.asked_ms) / 1000, 3),
            duration_s=round(time.monotonic() - began, 3),
        )

    async def _outcome(self, order: Order) -> tuple[Status, Mapping[str, Any]]:
        if await self._jobs.count(order.job_id, "unended") > _UNENDED_MOST:
            return "Fail", _internal(
                f"{_UNENDED_MOST} runs crashed or took over {RUN_S} s; send another recording"
            ).body()
        try:
            return await self._run(order)
        except asyncio.CancelledError:
            await self._ended(order)
            raise
        except (StoreAwayError, NotReadyError, TimeoutError) as error:
            if not isinstance(error, TimeoutError):
                await self._ended(order)
            _log.warning("job.deferred", job_id=order.job_id, reason=str(error) or "timeout", again_s=_AGAIN_S)
            raise Retry(defer=_AGAIN_S) from error

    async def _run(self, order: Order) -> tuple[Status, Mapping[str, Any]]:
        try:
            async with asyncio.timeout(RUN_S):
                audio = await asyncio.to_thread(self._spool.read, order.job_id)
                enrollment = await self._enroller.apply(order.ask(), audio)
                point("desk.applied")
        except (StoreAwayError, NotReadyError, TimeoutError):
            raise
        except ApiError as error:
            return "Fail", error.body()
        except FileNotFoundError:
            lost = _internal("the audio of this job is not in the data directory any more; send it again")
            return "Fail", lost.body()
        except Exception as error:  # noqa: BLE001  a job must end: the client is told, the log has the rest
            _log.exception("job.failed", job_id=order.job_id)
            return "Fail", _internal(f"{type(error).__name__}; the engine's log has the rest").body()
        return "Success", enrollment.status()

    async def _ended(self, order: Order) -> None:
        """Take back that a run began: it gave way in good order."""
        with suppress(StoreAwayError):
            await self._jobs.count(order.job_id, "unended", -1)

    async def clear_strays(self) -> None:
        """Remove audio whose job has ended or was never answered with 202."""
        for job_id in await asyncio.to_thread(lambda: list(self._spool.strays())):
            job = await self._jobs.get(job_id)
            if job is None or job.status != "InProgress":
                await asyncio.to_thread(self._spool.remove, job_id)
                _log.info("job.stray_removed", job_id=job_id)


def _internal(message: str) -> ApiError:
    return ApiError(500, "internal", message, error_code=CMN_INTERNAL)
