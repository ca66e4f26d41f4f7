"""Crashes: whose they are. A poison job ends alone, its neighbours all complete, and none of them loses a try."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.worker.queue.rig import (
    PATIENCE_S,
    Context,
    holds,
    job,
    job_id,
    leases,
    named,
    taken,
    told,
    until,
    worked_off,
    worker_process,
    working,
)
from worker.queue.jobs import Queue
from worker.queue.lease import poison

LEASE_S = 0.4
_NEIGHBOURS = [f"n{number}" for number in range(50)]


async def put_with_neighbours(queue: Queue, how: str, *, seconds: float = 0) -> None:
    """Fifty neighbours, and in their midst the one that takes the process along."""
    neighbours = [job(queue, name, "brief", name) for name in _NEIGHBOURS]
    deadly = job(queue, "deadly", "deadly", how, str(seconds))
    await queue.put([*neighbours[:25], deadly, *neighbours[25:]])


async def all_is_well(redis: ArqRedis, queue: Queue) -> None:
    """The neighbours have ended, on their first try each; the poison is set aside; nothing waits, nothing is held."""
    ended = Counter(entry.decode() for entry in await redis.lrange("ended", 0, -1))  # type: ignore[misc]  # redis-py
    assert set(ended) == {f"{name}:1" for name in _NEIGHBOURS}
    assert await redis.hkeys(poison(queue.name)) == [job_id(queue, "deadly").encode()]  # type: ignore[misc]  # redis-py
    assert await redis.hkeys("told") == [b"deadly"]  # type: ignore[misc]  # redis-py
    assert await redis.zcard(queue.name) == 0
    assert await holds(redis) == {}
    await redis.delete("began", "ended", "told")


@pytest.mark.parametrize(("how", "code"), [("killed", -9), ("os._exit", 3)])
async def test_a_poison_job_takes_no_neighbour_along(
    redis: ArqRedis, queue: Queue, settings: Settings, how: str, code: int
) -> None:
    """It may end five workers, three times alone; the sixth sets it aside."""
    await put_with_neighbours(queue, how)
    url, codes = settings.redis.url.get_secret_value(), list[int]()
    while 0 not in codes:
        async with worker_process(url, queue, lease_s=LEASE_S, max_jobs=100, burst=True) as worker:
            codes.append(await worker.ended())
    assert codes == [code] * 5 + [0]
    await all_is_well(redis, queue)


async def test_a_job_that_hangs_its_worker_is_poison_too(redis: ArqRedis, queue: Queue, settings: Settings) -> None:
    """A worker that can't renew is as good as dead: five hang, three of them with this job alone; a sixth goes on."""
    await put_with_neighbours(queue, "blocking", seconds=600)
    url = settings.redis.url.get_secret_value()

    async def is_set_aside() -> bool:
        return bool(await redis.exists("told")) and await redis.zcard(queue.name) == 0

    async with AsyncExitStack() as stack:
        for _ in range(6):
            await stack.enter_async_context(worker_process(url, queue, lease_s=LEASE_S, max_jobs=100))
        await until(is_set_aside)
    began = await redis.lrange("began", 0, -1)  # type: ignore[misc]  # redis-py
    assert began.count(b"deadly:1") == 5  # twice among others, three times alone
    await all_is_well(redis, queue)


@pytest.mark.parametrize("how", ["MemoryError", "sys.exit"])
async def test_an_error_of_any_kind_is_the_jobs_alone(
    redis: ArqRedis, queue: Queue, settings: Settings, how: str
) -> None:
    """Neither a want of memory nor an exit is the worker's end, as long as Python can still say so."""
    await put_with_neighbours(queue, how)
    url = settings.redis.url.get_secret_value()
    async with worker_process(url, queue, lease_s=30, max_jobs=100, burst=True) as worker:
        assert (await worker.logged("job.raised"))["function"] == "deadly"
        assert await worker.ended() == 0
    assert await told(redis, "ended", 50) == {f"{name}:1": 1 for name in _NEIGHBOURS}
    assert await redis.exists(poison(queue.name)) == 0
    assert await redis.zcard(queue.name) == 0
    await redis.delete("began")


async def test_a_stopped_worker_does_not_forget_a_suspects_crashes(redis: ArqRedis, queue: Queue) -> None:
    """Neither of the one that runs alone, nor of the one that waits for its turn: both are suspects to the next one."""
    await queue.put([job(queue, "one"), job(queue, "two")])
    for number in range(2):
        await taken(leases(redis, queue, f"dead{number}", lease_s=0.1), 2)
    alone, runs = asyncio.Event(), list[str]()

    async def work(ctx: dict[str, str]) -> None:
        runs.append(ctx["job_id"])
        alone.set()
        await asyncio.Event().wait()

    async with working(redis, queue, named("work", work), drain=timedelta(0)):
        await asyncio.wait_for(alone.wait(), 20)
    assert runs == [job_id(queue, "one")]
    assert await holds(redis) == {job_id(queue, name): "|2|h" for name in ("one", "two")}
    claims = await taken(leases(redis, queue, "next", lease_s=0.1), 2)
    assert [(claim.crashes, claim.job_try) for claim in claims] == [(2, 1), (2, 1)]


async def test_a_suspect_runs_alone(redis: ArqRedis, queue: Queue) -> None:
    """It waits until the others have ended; none is begun beside it, a second suspect least of all."""
    await queue.put(job(queue, f"suspect{number}") for number in range(3))
    for number in range(2):
        await taken(leases(redis, queue, f"dead{number}", lease_s=0.1), 3)
    began, order, running = asyncio.Event(), list[str](), set[str]()
    let = asyncio.Event()

    async def work(ctx: Context) -> None:
        running.add(ctx["job_id"])
        order.append("+".join(sorted(running)).replace(job_id(queue, ""), ""))
        if "first" in ctx["job_id"]:
            began.set()
            await let.wait()
        else:
            await asyncio.sleep(0.02)
        running.remove(ctx["job_id"])

    async def suspects_are_held() -> bool:
        return sum(hold.endswith("|2|h") for hold in (await holds(redis)).values()) == 3

    await queue.put([job(queue, "first")])
    await redis.zadd(queue.name, {job_id(queue, "first"): 1})
    async with working(redis, queue, named("work", work)):
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        await until(suspects_are_held)
        await queue.put([job(queue, "last")])
        let.set()
        await worked_off(redis, queue)
    assert order == ["first", "suspect0", "suspect1", "suspect2", "last"]
