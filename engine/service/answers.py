"""What happens to a request whose work is a job: written down, answered 202, or waited for.

A job that is waited for goes through the same queue as all others, so any process may do it, and it goes on when the
client has gone away. Whoever waits is told by the bell, and looks at the job itself in case the bell was missed.
"""

import asyncio
import contextlib
import time

import structlog

from config.points import point
from engine.service.bell import Bell
from engine.service.crew import Crew
from engine.service.failure import NotReadyError, StoreAwayError
from engine.service.jobs import Job, Jobs
from engine.service.orders import Order
from engine.service.spool import Spool

_LOOK_S = 1.0

_log = structlog.get_logger()


class Answers:
    """Has orders worked off.

    Args:
        jobs: where they are written down.
        spool: where their audio goes.
        bell: tells when they have ended.
        crew: tells who works.
        wait_s: the longest that a request is waited for.
    """

    def __init__(self, jobs: Jobs, spool: Spool, *, bell: Bell, crew: Crew, wait_s: float) -> None:
        self._jobs = jobs
        self._spool = spool
        self._bell = bell
        self._crew = crew
        self._wait_s = wait_s

    async def accept(self, order: Order, audio: bytes | None) -> None:
        """Write an order down, durably unless somebody waits for it; without audio it is fetched.

        Raises:
            NotReadyError: the audio can't be written.
        """
        if audio is not None:
            try:
                await asyncio.to_thread(self._spool.write, order.job_id, audio, durable=not order.awaited)
            except OSError as error:
                raise NotReadyError(f"the audio can't be written down ({error.strerror})") from error
        await self._jobs.put(order)
        point("order.written")

    async def outcome(self, order: Order, audio: bytes) -> Job:
        """Have an awaited order worked off, and return the job once it has ended.

        Raises:
            NotReadyError: nobody works, too many wait, or it took too long; the same request may be sent again.
        """
        await self._crew.refuse_too_much()
        with self._bell.listening(order.job_id) as rung:
            await self.accept(order, audio)
            give_up = time.monotonic() + self._wait_s
            while (left_s := give_up - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, _LOOK_S)):
                        await rung.wait()
                rung.clear()
                with contextlib.suppress(StoreAwayError):  # what was asked is written down: Redis may come back in time
                    job = await self._jobs.get(order.job_id)
                    if job is None:
                        break
                    if job.status != "InProgress":
                        return job
        message = f"no result within {self._wait_s:g} s; the work goes on, and the same Idempotency-Key finds it done"
        raise NotReadyError(message, code="still_working")
