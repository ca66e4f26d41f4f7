"""Where queued orders are worked off: enroll the sample, or tell the voices of a recording, and end the job.

Runs may be repeated at any point by a crash; the key of the order keeps the sample from being applied twice, and the
job ends once. No exception leaves: what will not do is a Fail, what can't be done now is tried again later.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from arq import Retry

from config.points import point
from engine.service.enroll import Enroller, now_ms
from engine.service.enrollment import Ask
from engine.service.failure import CMN_INTERNAL, ApiError, DecoderLostError, NotReadyError, StoreAwayError
from engine.service.jobs import Job, Jobs, Status
from engine.service.orders import Diarize, Identify, Kind, Order
from engine.service.recognise import Recogniser
from engine.service.spool import Spool

_AGAIN_S = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one run may take, and how many may crash or take too long: such audio takes its neighbours' along."""

    run_s: float
    unended_most: int


SAMPLE = Patience(run_s=15.0, unended_most=10)
RECORDING = Patience(run_s=900.0, unended_most=3)  # two hours of a call at a tenth of their length, and a busy machine


class Outcome(NamedTuple):
    """What came of an order: the job's status, the HTTP status that a client who waits is answered, and the body."""

    status: Status
    code: int
    response: Mapping[str, Any]


class Desk:
    """Works off orders, one call per run."""

    def __init__(self, jobs: Jobs, spool: Spool, enroller: Enroller, recogniser: Recogniser) -> None:
        self._jobs = jobs
        self._spool = spool
        self._enroller = enroller
        self._recogniser = recogniser

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
        status, code, response = await self._outcome(order)
        await self._jobs.finish(order, status=status, code=code, response=response, now_ms=now_ms())
        point("desk.finished")
        _log.info(
            "job.answered",
            **order.facts(),
            status=status,
            error=response["errors"][0]["message"] if status == "Fail" else None,
            waited_s=round((now_ms() - order.asked_ms) / 1000, 3),
            duration_s=round(time.monotonic() - began, 3),
        )

    async def _outcome(self, order: Order) -> Outcome:
        patience = SAMPLE if order.kind is Kind.ENROLL else RECORDING
        if await self._jobs.count(order.job_id, "unended") > patience.unended_most:
            reason = f"{patience.unended_most} runs crashed or took over {patience.run_s:g} s; send another recording"
            return _failed(_internal(reason))
        try:
            async with asyncio.timeout(patience.run_s):
                return await self._run(order)
        except asyncio.CancelledError:
            await self._ended(order)
            raise
        except (StoreAwayError, NotReadyError, TimeoutError) as error:
            if not isinstance(error, TimeoutError | DecoderLostError):
                await self._ended(order)
            _log.warning("job.deferred", job_id=order.job_id, reason=str(error) or "timeout", again_s=_AGAIN_S)
            raise Retry(defer=_AGAIN_S) from error

    async def _run(self, order: Order) -> Outcome:
        try:
            response = await self._response(order)
            point("desk.applied")
        except (StoreAwayError, TimeoutError):
            raise
        except NotReadyError as error:
            if not order.awaited:
                raise
            return _failed(error)  # the client who waits can come again, and learns why
        except ApiError as error:
            if order.content_uri and error.parameter == "content":
                error.parameter = "contentUri"
            return _failed(error)
        except FileNotFoundError:
            return _failed(_internal("the audio of this job is not in the data directory any more; send it again"))
        except Exception as error:  # noqa: BLE001  a job must end: the client is told, the log has the rest
            _log.exception("job.failed", job_id=order.job_id)
            return _failed(_internal(f"{type(error).__name__}; the engine's log has the rest"))
        return Outcome("Success", 200, response)

    async def _response(self, order: Order) -> Mapping[str, Any]:
        """What the contract answers to an order."""
        match order.task:
            case Ask() as ask:
                audio = self._spool.path(order.job_id)
                named = ask if ask.sha256 else replace(ask, sha256=await asyncio.to_thread(_sha256, audio))
                return self._enroller.told(await self._enroller.apply(named, audio))
            case Identify() as task:
                return await self._recogniser.identify(task, self._spool.path(order.job_id), is_job=not order.awaited)
            case Diarize() as task:
                return await self._recogniser.diarize(task, self._spool.path(order.job_id))

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


def _sha256(audio: Path) -> str:
    with audio.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _failed(error: ApiError) -> Outcome:
    return Outcome("Fail", error.status, error.body())


def _internal(message: str) -> ApiError:
    return ApiError(500, "internal", message, error_code=CMN_INTERNAL)
