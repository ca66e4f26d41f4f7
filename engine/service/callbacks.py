"""Results on their way to the client's webhook.

A callback is accepted by exactly 200; anything else is tried again up to five times, later each time. The URL is user
input: no redirect is followed, ten seconds is all it gets, its answer's body is not read. Private addresses are
allowed: the engine is an embedded service whose client is most often a process of the same host.
"""

import asyncio
import json
import random
import time
from collections.abc import Sequence

import aiohttp
import structlog
from arq import Retry
from yarl import URL

from config.points import point
from engine.service.failure import StoreAwayError
from engine.service.faults import Faults
from engine.service.jobs import Job, Jobs
from engine.service.orders import Kind
from engine.service.proof import Proof

DELAYS_S = (1.0, 4.0, 16.0, 64.0, 256.0)  # five more tries within six minutes: longer than a restart or a deployment
TIMEOUT_S = 10.0
RUN_S = 20.0  # one try, and the time that `reordering` holds it back
AT_ONCE = 50  # they wait for others
_AGAIN_S = 1.0
_ACCEPTED = 200

_log = structlog.get_logger()


class Callbacks:
    """Delivers the answers of jobs.

    Args:
        jobs: where the answers are.
        bare: post a bare EnrollmentStatus on success, as in 2022; else the envelope. Failures and other kinds of jobs
            are always enveloped.
        proof: what they carry, so that the receiver can tell who sent them; the job's id names the message.
        delays_s: pause before each further try.
        faults: what goes wrong, for tests.
    """

    def __init__(
        self,
        jobs: Jobs,
        *,
        bare: bool,
        proof: Proof,
        delays_s: Sequence[float] = DELAYS_S,
        faults: Faults | None = None,
    ) -> None:
        self._jobs = jobs
        self._bare = bare
        self._proof = proof
        self._delays_s = delays_s
        self._faults = faults
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Prepare to call."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()

    async def deliver(self, job_id: str) -> None:
        """Try once to deliver the answer of a job.

        Raises:
            Retry: it was not accepted, and there are tries left.
        """
        try:
            job = await self._jobs.get(job_id)
            if job is None or job.status == "InProgress":
                _log.warning("callback.dropped", job_id=job_id, reason="its job has expired")
                return
            began = time.monotonic()
            point("delivery.sending")
            answer = await (self._misdeliver(job, self._faults) if self._faults else self._post(job))
            point("delivery.sent")
            refused = 0 if answer == _ACCEPTED else await self._jobs.count(job_id, "deliveries")
        except StoreAwayError as error:
            raise Retry(defer=_AGAIN_S) from error
        self._conclude(job, answer, refused=refused, duration_s=time.monotonic() - began)

    def _conclude(self, job: Job, answer: int | str, *, refused: int, duration_s: float) -> None:
        """Write the one line of this try and decide on the next."""
        left = len(self._delays_s) - refused
        delay_s = self._delays_s[refused - 1] * random.uniform(0.8, 1.2) if refused and left >= 0 else None  # noqa: S311  jitter
        _log.info(
            "callback.delivered" if not refused else "callback.refused" if delay_s else "callback.given_up",
            **job.order.facts(),
            attempt=f"{job.deliveries + 1}/{len(self._delays_s) + 1}",
            answer=answer,
            duration_s=round(duration_s, 3),
            again_s=round(delay_s, 1) if delay_s else None,
        )
        if delay_s:
            raise Retry(defer=delay_s)

    async def _misdeliver(self, job: Job, faults: Faults) -> int | str:
        """Send no, one or several copies, each after a pause of its own; taken if one of them is."""

        async def send(pause_s: float) -> int | str:
            await asyncio.sleep(pause_s)
            return await self._post(job)

        answers = await asyncio.gather(*map(send, faults.copies()))
        if not answers:
            _log.info("callback.withheld", job_id=job.order.job_id)
        elif _ACCEPTED in answers:
            faults.was_taken(job.order.job_id)
        return answers[0] if answers and _ACCEPTED not in answers else _ACCEPTED

    async def _post(self, job: Job) -> int | str:
        """The status that the receiver answered, or in a word why there is none."""
        if self._session is None:
            raise RuntimeError("open() comes first")
        bare = self._bare and job.status == "Success" and job.order.kind is Kind.ENROLL
        body = json.dumps(job.response if bare else self._jobs.envelope(job)).encode()
        headers = {"Content-Type": "application/json", "RCRequestId": job.order.request_id}
        headers |= self._proof.headers(body, message_id=job.order.job_id, sent_s=int(time.time()))
        url = URL(job.order.webhook, encoded=True)
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                status = response.status
                response.close()  # the body is nothing to us, however long it is
                return status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return type(error).__name__
