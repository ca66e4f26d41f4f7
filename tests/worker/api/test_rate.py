"""Four workers share a second's budget at the real engine, and a stranger spends of it: penalties are waited out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

import aiohttp
import pytest

from config.settings import Settings
from tests.support.engine import Rc, running_engine
from tests.support.line import credential
from worker.api.client import EnrollmentApi
from worker.enrollment.errors import RetryLaterError
from worker.furnishing import connected

_CALLS, _PENALTY_S = 20, 1.0
_PROPAGATION_S = 0.2  # between a 429 and all workers' knowing: a round trip to Redis, on a busy machine
_WORK = 50


@dataclass
class Noted:
    """When calls were sent, and when a 429 was received, by any worker."""

    sent: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def trace(self) -> aiohttp.TraceConfig:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._start)
        trace.on_request_end.append(self._end)
        return trace

    async def _start(
        self, _http: aiohttp.ClientSession, _context: SimpleNamespace, asked: aiohttp.TraceRequestStartParams
    ) -> None:
        if asked.url.path.startswith("/ai/"):
            self.sent.append(asyncio.get_running_loop().time())

    async def _end(
        self, _http: aiohttp.ClientSession, _context: SimpleNamespace, answered: aiohttp.TraceRequestEndParams
    ) -> None:
        if answered.response.status == 429:
            self.refused.append(asyncio.get_running_loop().time())

    def in_a_penalty(self) -> list[float]:
        """Calls that were sent although a penalty was known."""
        return [at for at in self.sent if any(_PROPAGATION_S < at - known < _PENALTY_S for known in self.refused)]


@pytest.fixture
def penalising(settings: Settings) -> Settings:
    limit = {"calls": _CALLS, "window": timedelta(seconds=1), "penalty": timedelta(seconds=_PENALTY_S)}
    return settings.model_copy(update={"engine": settings.engine.model_copy(update=limit)})


@asynccontextmanager
async def workers(settings: Settings, noted: Noted, *, url: str) -> AsyncIterator[list[EnrollmentApi]]:
    limit = {"base_url": url, "jwt": credential(settings), "calls": _CALLS, "window": timedelta(seconds=1)}
    api = settings.api.model_copy(update=limit)
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(4):
            redis, _http = await stack.enter_async_context(connected(settings))
            http = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[noted.trace()]))
            made.append(EnrollmentApi.over(redis, http, account=settings.account, api=api))
        yield made


async def ask_until_answered(api: EnrollmentApi, speaker_id: str) -> None:
    """As a job does: come back when told to."""
    while True:
        try:
            assert await api.enrollment(speaker_id) is None
        except RetryLaterError as postponed:
            await asyncio.sleep(postponed.after.total_seconds())
        else:
            return


async def spend(rc: Rc, *, calls: int) -> list[int]:
    return [(await rc.get("stranger")).status for _ in range(calls)]


async def test_no_call_is_sent_in_a_penalty_and_all_work_is_done(penalising: Settings) -> None:
    noted = Noted()
    async with running_engine(penalising, hears=False) as rc, workers(penalising, noted, url=rc.url) as apis:
        done = asyncio.gather(*(ask_until_answered(apis[number % 4], f"s{number}") for number in range(_WORK)))
        await spend(rc, calls=_CALLS)
        await asyncio.wait_for(done, 60)
    assert noted.refused
    assert noted.in_a_penalty() == []
    assert len(noted.sent) == _WORK + len(noted.refused)
