"""Crashes: whose they are. A late finisher is fenced off, a poison job ends alone, its neighbours lose no try."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.worker import Function, func

from config.settings import Settings
from worker.queue.jobs import Job, Queue
from worker.queue.lease import Finish, Leases, poison
from worker.queue.leasing import LeasingWorker

LEASE = timedelta(milliseconds=200)
_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def queue(redis: ArqRedis, settings: Settings) -> Queue:
    await redis.flushdb()  # arq's keys of a job carry its id alone, and these tests share ids
    return Queue(redis, account=settings.account)


def named(name: str, function: Callable[..., Awaitable[Any]]) -> Function:
    return func(function, name=name)  # type: ignore[arg-type]  # arq's protocol wants **kwargs


def leases(redis: ArqRedis, queue: Queue, token: str, *, lease: timedelta = LEASE) -> Leases:
    return Leases(redis, queue_name=queue.name, lease=lease, token=token)


async def taken(held: Leases, *, job_ids: set[str]) -> list[Any]:
    """What is claimed, once it is due."""
    found = list[Any]()
    async with asyncio.timeout(5):
        while {claim.job_id for claim in found} != job_ids:
            found += (await held.turn([], claim=100))[1]
    return found


async def test_a_late_finisher_changes_nothing(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([Job("work", (), "j")])
    first, second = leases(redis, queue, "first"), leases(redis, queue, "second")
    await taken(first, job_ids={"j"})
    (again,) = await taken(second, job_ids={"j"})
    assert (again.crashes, again.job_try) == (1, 1)
    assert (await first.turn([Finish(job_id="j")], claim=0))[0] == ["j"]
    assert (await first.turn([Finish(job_id="j", again_ms=0)], claim=0))[0] == ["j"]
    assert await first.renew(["j"]) == ["j"]
    assert await redis.exists(job_key_prefix + "j")
    assert (await second.turn([Finish(job_id="j")], claim=0))[0] == []
    assert await redis.exists(job_key_prefix + "j", in_progress_key_prefix + "j") == 0
    assert await redis.zcard(queue.name) == 0


async def test_a_renewed_lease_is_nobody_elses(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([Job("work", (), "j")])
    first = leases(redis, queue, "first", lease=timedelta(seconds=30))
    await taken(first, job_ids={"j"})
    assert (await leases(redis, queue, "second").turn([], claim=10))[1] == []
    assert await first.renew(["j"]) == []


async def test_scripts_that_redis_forgot_are_loaded_again(redis: ArqRedis, queue: Queue, settings: Settings) -> None:
    ran = asyncio.Event()

    async def work(_ctx: dict[str, Any]) -> None:
        ran.set()

    await redis.script_flush()
    await queue.put([Job("work", (), "j")])
    stop = asyncio.Event()
    one = LeasingWorker([named("work", work)], lease=LEASE, stop=stop, queue_name=queue.name, redis_pool=redis)
    running = asyncio.ensure_future(one.main())
    await asyncio.wait_for(ran.wait(), 5)
    stop.set()
    await running
    assert settings.account in queue.name


async def test_an_unknown_function_waits_for_a_newer_worker(redis: ArqRedis, queue: Queue) -> None:
    async def known(_ctx: dict[str, Any]) -> None: ...

    await queue.put([Job("of_tomorrow", ("a",), "j")])
    stop = asyncio.Event()
    one = LeasingWorker([named("known", known)], lease=LEASE, stop=stop, queue_name=queue.name, redis_pool=redis)
    running = asyncio.ensure_future(one.main())
    async with asyncio.timeout(5):
        while not await redis.exists(retry_key_prefix + "j") or await redis.exists(in_progress_key_prefix + "j"):
            pass
    stop.set()
    await running
    assert await redis.exists(job_key_prefix + "j")
    assert await redis.zcard(queue.name) == 1


async def test_an_unreadable_payload_is_set_aside(redis: ArqRedis, queue: Queue) -> None:
    async def known(_ctx: dict[str, Any]) -> None: ...

    await redis.set(job_key_prefix + "j", b"\x80\x04pickle")
    await redis.zadd(queue.name, {"j": 1})
    one = LeasingWorker(
        [named("known", known)],
        lease=LEASE,
        stop=asyncio.Event(),
        queue_name=queue.name,
        redis_pool=redis,
        burst=True,
    )
    await one.main()
    assert await redis.hget(poison(queue.name), "j") == b"\x80\x04pickle"  # type: ignore[misc]  # redis-py


_WORKER = """
import asyncio, os, sys
from datetime import timedelta
from arq.worker import func
from config.settings import Redis
from worker.queue.connect import client
from worker.queue.leasing import LeasingWorker

async def innocent(ctx, name):
    await asyncio.sleep(0.05)
    await ctx["redis"].hincrby("done", name + ":" + str(ctx["job_try"]), 1)

async def deadly(ctx):
    await asyncio.sleep(0.02)
    os.kill(os.getpid(), 9)

async def told(function, args):
    await pool.hset("told", function, str(args))

async def main():
    global pool
    pool = client(Redis(url=sys.argv[1]), queue_name=sys.argv[2])
    functions = [func(innocent, name="innocent"), func(deadly, name="deadly")]
    await LeasingWorker(functions, lease=timedelta(seconds=0.3), stop=asyncio.Event(), queue_name=sys.argv[2],
                        redis_pool=pool, max_jobs=100, on_poison=told, burst=True).main()

asyncio.run(main())
"""


async def test_a_poison_job_takes_no_neighbour_along(redis: ArqRedis, queue: Queue, settings: Settings) -> None:
    """It may kill its worker three times, the last time alone; fifty neighbours run once each, on their first try."""
    neighbours = [Job("innocent", (f"n{number}",), f"n{number}") for number in range(50)]
    await queue.put([*neighbours[:25], Job("deadly", (), "deadly"), *neighbours[25:]])
    command = [sys.executable, "-c", _WORKER, settings.redis.url.get_secret_value(), queue.name]
    deaths = 0
    for _ in range(5):
        ended = subprocess.run(command, cwd=_ROOT, env=os.environ, capture_output=True, timeout=60, check=False)  # noqa: ASYNC221 -- one after the other
        if ended.returncode == 0:
            break
        deaths += ended.returncode == -9
    assert deaths == 3, ended.stderr.decode()[-2000:]
    done = await redis.hgetall("done")  # type: ignore[misc]  # redis-py
    assert done == {f"n{number}:1".encode(): b"1" for number in range(50)}
    assert await redis.hkeys(poison(queue.name)) == [b"deadly"]  # type: ignore[misc]  # redis-py
    assert await redis.hgetall("told") == {b"deadly": b"()"}  # type: ignore[misc]  # redis-py
    assert await redis.zcard(queue.name) == 0
    await redis.delete("done", "told")
