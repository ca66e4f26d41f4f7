"""The provider of the simulated day: the contract as far as the day needs it, behind the engine's real limiter.

It is reached over a network that dawdles, fails now and then, and calls back. It remembers which keys it applied, so
that what was lost or doubled shows in the end.
"""

import asyncio
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from engine.service.limits import Bucket, Limiter, Verdict
from tests.bench.governor.virtual import Clock

CALLS, WINDOW, PENALTY = 10, timedelta(seconds=60), timedelta(seconds=60)
SAMPLE_S = 15.0
_BUCKET = Bucket("app", "user")
_WAY_S, _WAY_SIGMA = 0.04, 0.6  # one way through the network: median, and how far it scatters (lognormal)
_STALL, _STALL_S = 0.001, (0.2, 1.0)  # share of ways that take longer, and how much
_WORK_S = (1.0, 20.0)  # from a 202 to its result
_FAIL, _AWAY, _DROP = 0.0025, 0.001, 0.002  # shares: 500 (every other one applied all the same), 503, callback lost

Send = Callable[[str, bytes], Awaitable[None]]


@dataclass(slots=True)
class Ledger:
    """What reached the limiter, in made-up seconds: our calls that passed, those refused, and everybody's refusals."""

    passed: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    penalised: list[float] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)


class Provider:
    """Samples by speaker and key, jobs, and the faults of the day.

    Args:
        clock: of the day.
        seed: decides network and faults.
        send: takes a callback: the token in its URL, and its body.
    """

    def __init__(self, clock: Clock, *, seed: int, send: Send) -> None:
        self.limiter = Limiter(calls=CALLS, window=WINDOW, penalty=PENALTY, clock=clock.seconds)
        self.applied: dict[str, list[str]] = defaultdict(list)
        self.ledger = Ledger()
        self._clock = clock
        self._dice = random.Random(seed)  # noqa: S311 -- a play, no secret
        self._send = send
        self._jobs: dict[str, dict[str, Any]] = {}
        self._results = set[asyncio.Task[None]]()

    def app(self) -> web.Application:
        """To be served."""
        app = web.Application()
        app.router.add_post("/restapi/oauth/token", self._token)
        app.router.add_get("/ai/status/v1/jobs/{job_id}", self._limited(self._job))
        app.router.add_get("/ai/audio/v1/enrollments", self._limited(self._list))
        app.router.add_get("/ai/audio/v1/enrollments/{speaker_id}", self._limited(self._get))
        app.router.add_post("/ai/audio/v1/enrollments", self._limited(self._submit))
        app.router.add_patch("/ai/audio/v1/enrollments/{speaker_id}", self._limited(self._submit))
        return app

    async def be_foreign(self, *, begin_s: float, end_s: float, every_s: float) -> None:
        """Spend of the same budget for a while, as another program of the same app and user would."""
        await asyncio.sleep(begin_s)
        while self._clock.now_s < end_s:
            verdict = self._ask()
            self.ledger.foreign.append(self._clock.now_s)
            await asyncio.sleep(verdict.retry_after_s or every_s)

    def _ask(self) -> Verdict:
        verdict = self.limiter.ask(_BUCKET)
        if not verdict.passes:
            self.ledger.penalised.append(self._clock.now_s)
        return verdict

    def _limited(self, handler: Callable[[web.Request, Any], web.Response]) -> Callable[..., Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            body = await request.read()
            await asyncio.sleep(self._way_s())
            verdict = self._ask()
            (self.ledger.passed if verdict.passes else self.ledger.refused).append(self._clock.now_s)
            response = handler(request, json.loads(body or "{}")) if verdict.passes else web.Response(status=429)
            response.headers.update(self.limiter.headers(verdict) | {"Idempotency-Key-Honoured": "true"})
            await asyncio.sleep(self._way_s())
            return response

        return answer

    def _submit(self, request: web.Request, body: Any) -> web.Response:
        speaker_id = body.get("speakerId") or request.match_info["speaker_id"]
        key, create = request.headers["Idempotency-Key"], request.method == "POST"
        if self._hits(_AWAY):
            return web.Response(status=503)
        if create and self.applied[speaker_id] and key not in self.applied[speaker_id]:
            return web.Response(status=409)
        failed = self._hits(_FAIL)
        if failed and self._hits(0.5):
            return web.Response(status=500)
        job_id = str(uuid.UUID(int=self._dice.getrandbits(128)))
        self._jobs[job_id] = {"jobId": job_id, "status": "InProgress"}
        url = "" if failed or self._hits(_DROP) else request.query["webhook"]
        work = asyncio.create_task(self._work(job_id, speaker_id, key, url=url))
        self._results.add(work)
        work.add_done_callback(self._results.discard)
        return web.Response(status=500) if failed else web.json_response({"jobId": job_id}, status=202)

    async def _work(self, job_id: str, speaker_id: str, key: str, *, url: str) -> None:
        await asyncio.sleep(self._dice.uniform(*_WORK_S))
        if key not in self.applied[speaker_id]:
            self.applied[speaker_id].append(key)
        status = self._status(speaker_id)
        self._jobs[job_id] = {"jobId": job_id, "status": "Success", "response": status}
        if url:
            await self._send(url.rpartition("/")[2], json.dumps(status).encode())

    def _get(self, request: web.Request, _body: Any) -> web.Response:
        speaker_id = request.match_info["speaker_id"]
        return web.json_response(self._status(speaker_id)) if self.applied[speaker_id] else web.Response(status=404)

    def _list(self, request: web.Request, _body: Any) -> web.Response:
        page, size = int(request.query["page"]), int(request.query["perPage"])
        known = [speaker_id for speaker_id, keys in self.applied.items() if keys]
        paging = {"page": page, "totalPages": max(1, -(-len(known) // size)), "perPage": size}
        shown = known[(page - 1) * size : page * size]
        return web.json_response({"paging": paging, "records": [self._status(one) for one in shown]})

    def _job(self, request: web.Request, _body: Any) -> web.Response:
        found = self._jobs.get(request.match_info["job_id"])
        return web.json_response(found) if found else web.Response(status=404)

    def _status(self, speaker_id: str) -> dict[str, Any]:
        heard_s = SAMPLE_S * len(self.applied[speaker_id])
        told = {"speakerId": speaker_id, "enrollmentComplete": heard_s > 0, "enrollmentQuality": "Average"}
        return told | {"totalSpeechDuration": heard_s, "totalEnrollDuration": heard_s}

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 3600, "scope": "AI"})

    def _hits(self, share: float) -> bool:
        return self._dice.random() < share

    def _way_s(self) -> float:
        stall_s = self._dice.uniform(*_STALL_S) if self._hits(_STALL) else 0.0
        return _WAY_S * self._dice.lognormvariate(0, _WAY_SIGMA) + stall_s
