"""The audio of jobs that named a `contentUri`: fetched here, into the spool, and the job goes on to those that compute.

Many wait for others at one time, so they have a queue of their own. What can't be had ends the job as a Fail that
names `contentUri`; what may be there later is tried again.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog
from arq import Retry

from engine.download import DownloadError, Limits, download
from engine.service.enroll import now_ms
from engine.service.failure import ApiError, StoreAwayError
from engine.service.jobs import Jobs
from engine.service.orders import Order
from engine.service.spool import Spool

REDIRECTS = 3
AT_ONCE = 8
DELAYS_S = (2.0, 10.0, 30.0)  # a server that is restarted is back by then
_AGAIN_S = 1.0

_log = structlog.get_logger()


class Media:
    """Fetches audio, one try per call.

    Args:
        jobs: what is asked for.
        spool: where audio goes.
        limits: what is fetched at all.
        delays_s: pause before each further try.
    """

    def __init__(self, jobs: Jobs, spool: Spool, limits: Limits, *, delays_s: Sequence[float] = DELAYS_S) -> None:
        self._jobs = jobs
        self._spool = spool
        self._limits = limits
        self._delays_s = delays_s

    async def fetch(self, job_id: str) -> None:
        """Bring the audio of a job, or end the job.

        Raises:
            Retry: not now.
        """
        try:
            job = await self._jobs.get(job_id)
            if job is not None and job.status == "InProgress":
                await self._bring(job.order)
        except StoreAwayError as error:
            raise Retry(defer=_AGAIN_S) from error

    async def _bring(self, order: Order) -> None:
        began = time.monotonic()
        part = await asyncio.to_thread(self._spool.part, order.job_id)
        try:
            await download(order.content_uri, part, self._limits)
            await asyncio.to_thread(self._spool.keep, part, order.job_id)
            await self._jobs.fetched(order)
            code = None
        except DownloadError as error:
            await self._refused(order, error)
            code = error.code
        except OSError as error:
            _log.warning("media.deferred", **order.facts(), reason=error.strerror, again_s=_AGAIN_S)
            raise Retry(defer=_AGAIN_S) from error
        finally:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(part.unlink, missing_ok=True)
        _log.info("media.fetched", **order.facts(), error=code, duration_s=round(time.monotonic() - began, 3))

    async def _refused(self, order: Order, error: DownloadError) -> None:
        """End the job, unless it is worth another try."""
        if error.is_passing:
            failed = await self._jobs.count(order.job_id, "fetches")
            if failed <= len(self._delays_s):
                _log.info("media.refused", **order.facts(), error=error.code, again_s=self._delays_s[failed - 1])
                raise Retry(defer=self._delays_s[failed - 1]) from error
        body = ApiError(400, error.code, str(error), parameter="contentUri").body()
        await self._jobs.finish(order, status="Fail", code=400, response=body, now_ms=now_ms())
