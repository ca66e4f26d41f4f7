"""A day of eight workers in made-up time: the real steps, client, token, governor and limiter; Redis is real too.

Only store, queue, journal and objects are in memory. Jobs start up to 50 ms after they are due, as the worker polls;
a worker that dies takes its running jobs with it, and they run again when their lease has ended.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp import web
from pydantic import SecretStr
from redis.asyncio import Redis

from config.settings import Api, Settings, Webhook
from tests.bench.governor.provider import CALLS, WINDOW, Provider
from tests.bench.governor.shelves import Batches, Callbacks, Clips, Records, Voices
from tests.bench.governor.virtual import Clock, redis_client
from tests.support.lives import MEASURES, recipe
from worker import reconcile, submit, sweep
from worker.api.client import EnrollmentApi
from worker.api.governor import Turn
from worker.contract.token import KeyRing, verify
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import Fact, GoalSet, RecordingPlanned, SampleReady
from worker.enrollment.record import AttemptId, Goal, RecordingId, SpeakerId
from worker.queue.jobs import Job
from worker.store.journal import ACCEPTED, Callback
from worker.store.policy import policy_of
from worker.workshop import Workshop

SAMPLES = 3
WORKERS = 8
_POLL_S, _START_S = 0.05, 0.01
_LEASE_S = (20.0, 30.0)  # what is left of a dead worker's lease
_SWEEP_S = 10.0
_HOUR_S = 3600.0
_LAST_BREATH_S = 0.4  # a worker that is to die dies so soon after it has taken a job
_KEY = SecretStr("k" * 48)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the day is like, in made-up seconds."""

    length_s: float
    speakers: int
    speakers_per_hour: int
    deaths: int
    foreign_s: tuple[float, float]
    foreign_every_s: float = 20.0
    seed: int = 1


@dataclass(slots=True)
class Noted:
    """What the workers saw: when they sent a call, and when they received a 429."""

    sent: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    deaths: int = 0

    def trace(self, clock: Clock) -> aiohttp.TraceConfig:
        """Notes what a worker sends and receives."""

        async def start(_http: Any, _context: SimpleNamespace, asked: aiohttp.TraceRequestStartParams) -> None:
            if asked.url.path.startswith("/ai/"):
                self.sent.append(clock.now_s)

        async def end(_http: Any, _context: SimpleNamespace, answered: aiohttp.TraceRequestEndParams) -> None:
            if answered.response.status == 429:  # Too Many Requests
                self.refused.append(clock.now_s)

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(start)
        trace.on_request_end.append(end)
        return trace


@dataclass(slots=True)
class Worker:
    """A worker process: its workshop, what it runs, and whether it dies at its next job."""

    shop: Workshop
    running: set[asyncio.Task[Any]] = field(default_factory=set)
    is_doomed: bool = False

    def die(self) -> None:
        """Everything it runs ends here."""
        self.is_doomed = False
        for task in self.running:
            task.cancel()


class Queue:
    """The queue of the account: jobs by id, each run by any worker once it is due."""

    def __init__(self, clock: Clock, *, seed: int) -> None:
        self.account = "day"
        self.workers: list[Worker] = []
        self._clock = clock
        self._dice = random.Random(seed)  # noqa: S311 -- a play, no secret
        self._jobs: dict[str, asyncio.Task[None]] = {}

    async def put(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.job_id not in self._jobs:
                self._jobs[job.job_id] = asyncio.create_task(self._see_to(job))

    async def _see_to(self, job: Job) -> None:
        wait_s: float | None = max(0.0, (job.at - self._clock.utc()).total_seconds()) if job.at else 0.0
        while wait_s is not None:
            await asyncio.sleep(wait_s + _START_S + self._dice.uniform(0, _POLL_S))
            wait_s = await self._run(self._dice.choice(self.workers), job)
        del self._jobs[job.job_id]

    async def _run(self, worker: Worker, job: Job) -> float | None:
        """None if the job is done, else the seconds after which it runs again."""
        task = asyncio.ensure_future(_STEPS[job.function](worker.shop, *job.args))
        worker.running.add(task)
        if worker.is_doomed:
            asyncio.get_running_loop().call_later(self._dice.uniform(0, _LAST_BREATH_S), worker.die)
        await asyncio.wait([task])
        worker.running.discard(task)
        if task.cancelled():
            return self._dice.uniform(*_LEASE_S)
        error = task.exception()
        if isinstance(error, RetryLaterError):
            return error.after.total_seconds()
        if error:
            raise error
        return None


_STEPS: dict[str, Callable[..., Awaitable[Any]]] = {
    "submit": lambda shop, who: submit.submit(shop, SpeakerId(who)),
    "reconcile": reconcile.reconcile,
    "look_up": lambda shop, who, what, which: reconcile.look_up(
        shop, SpeakerId(who), RecordingId(what), AttemptId(which)
    ),
    "look_through": lambda shop, page, worth, turn: reconcile.look_through(
        shop, int(page), worth=int(worth), turn=Turn(int(turn))
    ),
}


async def live(plan: Plan, clock: Clock, *, folder: Path, redis_path: str) -> tuple[Provider, Noted, int]:
    """Live through the day; returns what provider and workers saw, and how often the governor was asked."""
    settings = _settings()
    records, callbacks = Records(clock, policy_of(settings)), Callbacks()
    queue, noted = Queue(clock, seed=plan.seed), Noted()
    keys = KeyRing(_KEY)

    async def send(token: str, body: bytes) -> None:
        """What the door does: verify, write down, queue."""
        claims = verify(token, keys=keys, account=queue.account, now=clock.utc())
        callback_id = f"{clock.now_s}-{claims.attempt_id}"
        named = {name: getattr(claims, name) for name in ("speaker_id", "recording_id", "attempt_id")}
        raw: dict[str, Any] = {"headers": {}, "body": body, "body_bytes": len(body), "verdict": ACCEPTED}
        callbacks.keep(Callback(callback_id=callback_id, received_at=clock.utc(), **named, **raw))
        await queue.put([Job("reconcile", (callback_id,), callback_id)])

    provider = Provider(clock, seed=plan.seed, send=send)
    async with contextlib.AsyncExitStack() as stack:
        path = await stack.enter_async_context(_served(provider, folder))
        for _ in range(WORKERS):
            redis = redis_client(redis_path, clock=clock)
            stack.push_async_callback(redis.aclose, close_connection_pool=True)
            http = await stack.enter_async_context(_session(path, noted, clock))
            api = EnrollmentApi.over(redis, http, account=settings.account, api=settings.api, clock=clock.ms)
            shelves = {"store": records, "journal": callbacks, "queue": queue, "objects": Clips(), "voices": Voices()}
            shelves |= {"batches": Batches()}
            shop = _workshop(settings, api, clock, stack, **shelves)
            queue.workers.append(Worker(shop))
        beside = [
            asyncio.create_task(one)
            for one in (_hand_in(queue.workers, plan), _sweep(queue.workers, plan), _kill(queue.workers, plan, noted))
        ]
        begin_s, end_s = plan.foreign_s
        foreign = provider.be_foreign(begin_s=begin_s, end_s=end_s, every_s=plan.foreign_every_s)
        beside.append(asyncio.create_task(foreign))
        await asyncio.sleep(plan.length_s)
        asked = await _asked(redis)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    return provider, noted, asked


async def _hand_in(workers: list[Worker], plan: Plan) -> None:
    """An hour's speakers every hour."""
    for number in range(plan.speakers):
        if number and number % plan.speakers_per_hour == 0:
            await asyncio.sleep(_HOUR_S)
        shop, speaker_id = workers[number % WORKERS].shop, SpeakerId(f"s{number:05}")
        facts: list[Fact] = [GoalSet(at=shop.now(), goal=Goal(samples=SAMPLES))]
        for sample in range(SAMPLES):
            recording_id = RecordingId(f"r{sample}")
            facts.append(RecordingPlanned(at=shop.now(), recording_id=recording_id, source="file:///a", name="a"))
            made: dict[str, Any] = {"recipe": recipe(), "measures": MEASURES, "object_key": f"{speaker_id}/{sample}"}
            facts.append(SampleReady(at=shop.now(), recording_id=recording_id, **made))
        await shop.tell(speaker_id, *facts)


async def _sweep(workers: list[Worker], plan: Plan) -> None:
    dice = random.Random(plan.seed)  # noqa: S311 -- a play, no secret
    while True:
        await asyncio.sleep(_SWEEP_S)
        await sweep.sweep(dice.choice(workers).shop)


async def _kill(workers: list[Worker], plan: Plan, noted: Noted) -> None:
    """Spread the deaths over the day; each comes in the midst of a job."""
    dice = random.Random(plan.seed)  # noqa: S311 -- a play, no secret
    for _ in range(plan.deaths):
        await asyncio.sleep(plan.length_s / (plan.deaths + 1))
        dice.choice(workers).is_doomed = True
        noted.deaths += 1


async def _asked(redis: Redis) -> int:
    """How many scripts were run: asks, departures and answers."""
    known = await redis.info("commandstats")
    return int(known["cmdstat_evalsha"]["calls"])


@contextlib.asynccontextmanager
async def _served(provider: Provider, folder: Path) -> AsyncIterator[str]:
    runner = web.AppRunner(provider.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    path = str(folder / "p.sock")
    try:
        await web.UnixSite(runner, path).start()
        yield path
    finally:
        await runner.cleanup()


def _session(path: str, noted: Noted, clock: Clock) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path),
        timeout=aiohttp.ClientTimeout(total=30, sock_connect=10),
        trace_configs=[noted.trace(clock)],
    )


def _settings() -> Settings:
    return Settings(
        account="day",
        api=Api(base_url="http://provider", client_id="app", calls=CALLS, window=WINDOW),
        webhook=Webhook(token_key=_KEY, token_ttl=timedelta(days=7)),
    )


def _workshop(
    settings: Settings, api: EnrollmentApi, clock: Clock, stack: contextlib.AsyncExitStack, **shelves: Any
) -> Workshop:
    """A workshop whose store, queue, journal, objects and voices are shelves; it measures no recording."""
    nobody = cast("Any", None)
    threads = stack.enter_context(ThreadPoolExecutor(1))
    others = {"fetcher": nobody, "voice": nobody, "rules": nobody, "threads": threads, "decoders": nobody}
    others |= {"measuring": nobody, "shortlists": nobody}
    return Workshop(settings=settings, api=api, policy=policy_of(settings), now=clock.utc, **shelves, **others)
