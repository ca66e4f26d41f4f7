"""Clocks that are wrong by an hour: only the Redis server's counts."""

import asyncio
import signal
import time
from datetime import UTC, datetime

import pytest
import time_machine
from arq.connections import ArqRedis
from arq.cron import cron

from config.settings import Settings
from tests.worker.queue.rig import (
    PATIENCE_S,
    Context,
    holds,
    job,
    named,
    told,
    until,
    worked_off,
    worker_process,
    working,
)
from worker.queue.jobs import Queue

_HOUR_S = 3600


@pytest.mark.parametrize("producer_h", [-1, 1])
async def test_a_producers_clock_delays_nothing(redis: ArqRedis, queue: Queue, producer_h: int) -> None:
    """What is due at once is due at once, and in the order in which Redis got it."""
    ran = list[str]()

    async def work(_ctx: Context, name: str) -> None:
        ran.append(name)

    with time_machine.travel(time.time() + producer_h * _HOUR_S, tick=True):
        await queue.put([job(queue, "wrong", "work", "wrong")])
    await queue.put([job(queue, "right", "work", "right")])
    async with working(redis, queue, named("work", work), max_jobs=1):
        await worked_off(redis, queue)
    assert ran == ["wrong", "right"]


async def test_workers_with_wrong_clocks_share_the_work(redis: ArqRedis, queue: Queue, settings: Settings) -> None:
    """One is an hour behind, one an hour ahead: neither waits, neither takes what the other one holds."""
    await queue.put(job(queue, f"j{number}", "held", f"j{number}") for number in range(20))
    url = settings.redis.url.get_secret_value()
    async with (
        worker_process(url, queue, lease_s=0.5, max_jobs=10, clock_h=-1) as behind,
        worker_process(url, queue, lease_s=0.5, max_jobs=10, clock_h=1) as ahead,
    ):
        assert await told(redis, "began", 20) == {f"j{number}:1": 1 for number in range(20)}
        before = await holds(redis)
        leases_over = time.monotonic() + 1.5
        await until(lambda: _is_past(leases_over))
        assert await holds(redis) == before
        for worker in (behind, ahead):
            worker.signal(signal.SIGUSR1)
        await worked_off(redis, queue)
    assert await redis.exists("began") == 0


async def _is_past(moment_s: float) -> bool:
    return time.monotonic() > moment_s


@pytest.mark.parametrize("worker_h", [-1, 1])
async def test_cron_ticks_by_the_servers_clock(redis: ArqRedis, queue: Queue, worker_h: int) -> None:
    """So that workers whose clocks differ queue the same tick, once, and now."""
    ticks: asyncio.Queue[str] = asyncio.Queue()

    async def tick(ctx: Context) -> None:
        ticks.put_nowait(ctx["job_id"])

    jobs = [cron(tick, second=None, microsecond=0, name="tick")]
    with time_machine.travel(time.time() + worker_h * _HOUR_S, tick=True):
        async with working(redis, queue, cron_jobs=jobs):
            job_id = await asyncio.wait_for(ticks.get(), PATIENCE_S)
    tick_s = int(job_id.removeprefix("tick:")) / 1000
    assert abs(tick_s - datetime.now(UTC).timestamp()) < PATIENCE_S
