"""Workers that are stopped, frozen or killed: no try is burned, no lease is orphaned, a late end changes nothing."""

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from arq.constants import result_key_prefix

from config.settings import Settings
from tests.support.points import Points
from tests.worker.queue.rig import (
    PATIENCE_S,
    Context,
    build,
    holds,
    job,
    job_id,
    named,
    told,
    worked_off,
    worker_process,
    working,
)
from worker.queue.jobs import Queue, loads


async def test_rolling_stops_burn_no_try(redis: ArqRedis, queue: Queue, settings: Settings) -> None:
    """Five deploys in the midst of long jobs: each worker ends well at once, the sixth runs all on the first try."""
    names = [f"j{number}" for number in range(10)]
    await queue.put(job(queue, name, "held", name) for name in names)
    before = await redis.zrange(queue.name, 0, -1, withscores=True)
    url = settings.redis.url.get_secret_value()
    for _ in range(5):
        async with worker_process(url, queue, lease_s=30, drain_s=0.1) as worker:
            assert await told(redis, "began", 10) == {f"{name}:1": 1 for name in names}
            worker.signal(signal.SIGTERM)
            assert await worker.ended() == 0
        assert await holds(redis) == {}
        assert await redis.zrange(queue.name, 0, -1, withscores=True) == before
    async with worker_process(url, queue, lease_s=30) as worker:
        assert await told(redis, "began", 10) == {f"{name}:1": 1 for name in names}
        worker.signal(signal.SIGUSR1)
        await worked_off(redis, queue)


async def test_a_frozen_workers_late_end_changes_nothing(redis: ArqRedis, queue: Queue, settings: Settings) -> None:
    """Frozen past its lease, and another runs the job; thawed, it ends it too, and nobody notices."""

    async def held(_ctx: Context, _name: str) -> str:
        return "the other's"

    await queue.put([job(queue, "j", "held", "j")])
    url = settings.redis.url.get_secret_value()
    async with worker_process(url, queue, lease_s=0.4, keep_result=60) as frozen:
        await told(redis, "began", 1)
        frozen.signal(signal.SIGSTOP)
        async with working(redis, queue, named("held", held), keep_result=60):
            await worked_off(redis, queue)
            frozen.signal(signal.SIGUSR1)
            frozen.signal(signal.SIGCONT)
            assert (await frozen.logged("job.superseded"))["job"] == job_id(queue, "j")
            assert await redis.zcard(queue.name) == 0
        frozen.signal(signal.SIGTERM)
        assert await frozen.ended() == 0
    result = await redis.get(result_key_prefix + job_id(queue, "j"))
    assert loads(result or b"")["r"] == "the other's"
    assert await redis.keys("arq:*") == [(result_key_prefix + job_id(queue, "j")).encode()]


async def test_a_worker_begins_nothing_that_others_took(
    redis: ArqRedis, queue: Queue, settings: Settings, tmp_path: Path
) -> None:
    """Frozen right after a claim, past its lease: when it goes on, its jobs are others', and it must not begin them."""

    async def brief(ctx: Context, name: str) -> None:
        await ctx["redis"].rpush("others", name)

    points = Points(tmp_path / "points")
    points.arm("queue.claimed", "hold")
    names = [f"j{number}" for number in range(20)]
    await queue.put(job(queue, name, "brief", name) for name in names)
    url, environment = settings.redis.url.get_secret_value(), {"VOXROLL_POINTS": str(points.folder)}
    async with worker_process(url, queue, environment=environment, lease_s=0.4) as frozen:
        await points.held("queue.claimed")
        async with working(redis, queue, named("brief", brief)):
            assert await told(redis, "others", 20) == dict.fromkeys(names, 1)
            await worked_off(redis, queue)
        points.release("queue.claimed")
        await queue.put([job(queue, "last", "held", "last")])
        assert await told(redis, "began", 1) == {"last:1": 1}
        frozen.signal(signal.SIGUSR1)
        frozen.signal(signal.SIGTERM)
        assert await frozen.ended() == 0
    assert await redis.keys("arq:*") == []
    assert await redis.exists("began", "ended") == 0


@pytest.mark.parametrize(("point", "runs"), [("queue.claimed", 1), ("queue.finished", 2)])
async def test_killed_between_redis_and_job(
    redis: ArqRedis, queue: Queue, settings: Settings, tmp_path: Path, point: str, runs: int
) -> None:
    """With jobs that were claimed and not begun, or ended and not given back: each is run, again if need be."""
    points = Points(tmp_path / "points")
    points.arm(point, "kill")
    await queue.put([job(queue, "j", "brief", "j")])
    url, environment = settings.redis.url.get_secret_value(), {"VOXROLL_POINTS": str(points.folder)}
    async with worker_process(url, queue, environment=environment, lease_s=0.4) as killed:
        assert await killed.ended() == -signal.SIGKILL
    async with worker_process(url, queue, lease_s=0.4):
        await worked_off(redis, queue)
    assert await told(redis, "ended", runs) == {"j:1": runs}
    await redis.delete("began")


async def test_a_worker_ends_though_its_cancellation_is_swallowed(redis: ArqRedis, queue: Queue) -> None:
    """As redis-py now and then does, and here the hook: the worker would go on for ever."""
    starting = asyncio.Event()

    async def work(_ctx: Context) -> None: ...

    async def swallow(_ctx: Context) -> None:
        starting.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    running = asyncio.create_task(build(redis, queue, named("work", work), on_startup=swallow).main())
    await starting.wait()
    running.cancel()
    await asyncio.wait_for(running, PATIENCE_S)
