"""The lease: a job belongs to a living worker; a dead one's is taken over; no backlog is too old; JSON only."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.worker import Function

from config.settings import Settings
from worker.queue.jobs import Job, Queue
from worker.queue.lease import Leases
from worker.queue.leasing import LeasingWorker

LEASE = timedelta(milliseconds=300)


class Work:
    """A job that counts its runs and ends when it is let."""

    def __init__(self) -> None:
        self.runs = 0
        self.began = asyncio.Event()
        self.let = asyncio.Event()

    async def work(self, _ctx: dict[str, Any], _name: str) -> None:
        self.runs += 1
        self.began.set()
        await self.let.wait()


@pytest.fixture
async def queue(redis: ArqRedis, settings: Settings) -> Queue:
    await redis.flushdb()  # arq's keys of a job carry its id alone, and these tests share ids
    return Queue(redis, account=settings.account)


def build(redis: ArqRedis, queue: Queue, work: Work, stop: asyncio.Event) -> LeasingWorker:
    options: dict[str, Any] = {"queue_name": queue.name, "redis_pool": redis}
    function = Function("work", work.work, 600, None, None, None)  # type: ignore[arg-type]  # arq wants **kwargs
    return LeasingWorker([function], lease=LEASE, stop=stop, drain=timedelta(seconds=0.1), **options)


async def test_a_job_longer_than_the_lease_runs_once(redis: ArqRedis, queue: Queue) -> None:
    work, stop = Work(), asyncio.Event()
    await queue.put([Job("work", ("a",), "j1")])
    workers = [asyncio.ensure_future(build(redis, queue, work, stop).main()) for _ in range(2)]
    await asyncio.wait_for(work.began.wait(), 5)
    lost = asyncio.get_running_loop().time() + 3 * LEASE.total_seconds()
    while asyncio.get_running_loop().time() < lost:
        assert await redis.pttl(in_progress_key_prefix + "j1") > 0
        await asyncio.sleep(0)
    work.let.set()
    stop.set()
    await asyncio.gather(*workers)
    assert work.runs == 1
    assert await redis.exists(job_key_prefix + "j1") == 0


async def test_a_dead_workers_job_is_taken_over_within_the_lease(redis: ArqRedis, queue: Queue) -> None:
    work, stop = Work(), asyncio.Event()
    work.let.set()
    await queue.put([Job("work", ("a",), "j1")])
    dead = Leases(redis, queue_name=queue.name, lease=LEASE, token="dead")
    while not (await dead.turn([], claim=10))[1]:  # due by Redis' clock, which may be a moment behind
        pass
    worker = asyncio.ensure_future(build(redis, queue, work, stop).main())
    began = asyncio.get_running_loop().time()
    await asyncio.wait_for(work.began.wait(), 5)
    assert asyncio.get_running_loop().time() - began < 2 * LEASE.total_seconds() + 0.5
    stop.set()
    await worker


async def test_a_backlog_older_than_a_day_is_run(redis: ArqRedis, queue: Queue) -> None:
    work, stop = Work(), asyncio.Event()
    work.let.set()
    await queue.put([Job("work", ("a",), "j1")])
    assert await redis.ttl(job_key_prefix + "j1") == -1
    await redis.zadd(queue.name, {"j1": (datetime.now(UTC) - timedelta(days=40)).timestamp() * 1000})
    worker = asyncio.ensure_future(build(redis, queue, work, stop).main())
    await asyncio.wait_for(work.began.wait(), 5)
    stop.set()
    await worker
    assert work.runs == 1


async def test_a_stopped_worker_hands_its_job_back(redis: ArqRedis, queue: Queue) -> None:
    work, stop = Work(), asyncio.Event()
    await queue.put([Job("work", ("a",), "j1")])
    worker = asyncio.ensure_future(build(redis, queue, work, stop).main())
    await asyncio.wait_for(work.began.wait(), 5)
    stop.set()
    await worker
    assert await redis.exists(in_progress_key_prefix + "j1") == 0
    assert await redis.zcard(queue.name) == 1


async def test_queueing_twice_is_queueing_once_and_the_payload_is_json(redis: ArqRedis, queue: Queue) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    await queue.put([Job("work", ("a",), "j1", later), Job("work", ("a",), "j1")])
    assert await redis.zscore(queue.name, "j1") == round(later.timestamp() * 1000)
    payload = json.loads(await redis.get(job_key_prefix + "j1") or b"")
    assert (payload["f"], payload["a"]) == ("work", ["a"])
