"""What arq's documentation promises of a worker, held against ours: retry, defer, cron, abort, results, burst."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from arq import Retry
from arq.connections import ArqRedis
from arq.cron import cron
from arq.jobs import Job as ArqJob
from arq.jobs import JobStatus
from arq.worker import Function, func

from config.settings import Settings
from worker.queue.jobs import Queue, dumps, loads
from worker.queue.leasing import LeasingWorker

Context = dict[str, Any]


@pytest.fixture
def queue(redis: ArqRedis, settings: Settings) -> Queue:
    return Queue(redis, account=settings.account)


def worker(redis: ArqRedis, queue: Queue, *functions: Function, **options: Any) -> LeasingWorker:
    usual: dict[str, Any] = {"burst": True, "poll_delay": 0.01, "stop": asyncio.Event()}
    return LeasingWorker(
        list(functions), lease=timedelta(seconds=5), queue_name=queue.name, redis_pool=redis, **usual | options
    )


def named(name: str, function: Callable[..., Awaitable[Any]], **options: Any) -> Function:
    return func(function, name=name, **options)  # type: ignore[arg-type]  # arq's protocol wants **kwargs


def job(redis: ArqRedis, queue: Queue, job_id: str) -> ArqJob:
    return ArqJob(job_id, redis, _queue_name=queue.name, _deserializer=loads)


async def put(redis: ArqRedis, queue: Queue, name: str, *args: Any, **options: Any) -> ArqJob:
    """Enqueued as any user of arq would."""
    made = await redis.enqueue_job(name, *args, _queue_name=queue.name, **options)
    assert made is not None
    return job(redis, queue, made.job_id)


async def test_a_job_runs_and_its_result_is_kept(redis: ArqRedis, queue: Queue) -> None:
    async def double(ctx: Context, number: int) -> int:
        assert ctx["job_try"] == 1
        assert ctx["redis"] is redis
        return 2 * number

    made = await put(redis, queue, "double", 21)
    assert await made.status() == JobStatus.queued
    await worker(redis, queue, named("double", double), keep_result=60).main()
    assert await made.status() == JobStatus.complete
    assert await made.result(timeout=1) == 42


async def test_retry_runs_it_again_and_counts(redis: ArqRedis, queue: Queue) -> None:
    tries = list[int]()

    async def again(ctx: Context) -> None:
        tries.append(ctx["job_try"])
        if ctx["job_try"] < 3:
            raise Retry(defer=0.01)

    await put(redis, queue, "again")
    one = worker(redis, queue, named("again", again))
    await one.main()
    assert tries == [1, 2, 3]
    assert (one.jobs_complete, one.jobs_retried, one.jobs_failed) == (1, 2, 0)


async def test_tries_end_where_the_function_says(redis: ArqRedis, queue: Queue) -> None:
    async def never(_ctx: Context) -> None:
        raise Retry

    made = await put(redis, queue, "never")
    one = worker(redis, queue, named("never", never, max_tries=2), keep_result=60)
    await one.main()
    assert (one.jobs_retried, one.jobs_failed) == (2, 1)
    info = await made.result_info()
    assert info is not None
    assert not info.success


async def test_what_a_function_raises_is_its_result(redis: ArqRedis, queue: Queue) -> None:
    async def broken(_ctx: Context) -> None:
        raise ValueError("no")

    made = await put(redis, queue, "broken")
    one = worker(redis, queue, named("broken", broken), keep_result=60)
    await one.main()
    assert one.jobs_failed == 1
    info = await made.result_info()
    assert info is not None
    assert not info.success
    assert repr(info.result) == "JobExecutionFailed('ValueError: no')"


async def test_a_deferred_job_waits(redis: ArqRedis, queue: Queue) -> None:
    ran = list[float]()

    async def late(_ctx: Context) -> None:
        ran.append(asyncio.get_running_loop().time())

    began = asyncio.get_running_loop().time()
    made = await put(redis, queue, "late", _defer_by=timedelta(milliseconds=200))
    assert await made.status() == JobStatus.deferred
    await worker(redis, queue, named("late", late)).main()
    assert ran[0] - began >= 0.19


async def test_a_timeout_ends_a_job(redis: ArqRedis, queue: Queue) -> None:
    async def endless(_ctx: Context) -> None:
        await asyncio.Event().wait()

    made = await put(redis, queue, "endless")
    one = worker(redis, queue, named("endless", endless, timeout=0.05), keep_result=60)
    await one.main()
    info = await made.result_info()
    assert info is not None
    assert repr(info.result) == "JobExecutionFailed('TimeoutError: ')"
    assert one.jobs_failed == 1


async def test_the_same_id_is_queued_once(redis: ArqRedis, queue: Queue) -> None:
    assert await redis.enqueue_job("x", _job_id="one", _queue_name=queue.name)
    assert await redis.enqueue_job("x", _job_id="one", _queue_name=queue.name) is None


async def test_a_running_job_is_aborted(redis: ArqRedis, queue: Queue) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless(_ctx: Context) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    made = await put(redis, queue, "endless")
    one = worker(redis, queue, named("endless", endless), allow_abort_jobs=True, keep_result=60)
    running = asyncio.ensure_future(one.main())
    await asyncio.wait_for(began.wait(), 5)
    assert await made.status() == JobStatus.in_progress
    assert await made.abort(timeout=5, poll_delay=0.01)
    await asyncio.wait_for(running, 5)
    assert ended.is_set()
    assert one.jobs_failed == 1


async def test_a_cron_tick_runs_once_however_many_workers(redis: ArqRedis, queue: Queue) -> None:
    ticks, ticked, stop = list[str](), asyncio.Event(), asyncio.Event()

    async def tick(ctx: Context) -> None:
        ticks.append(ctx["job_id"])
        ticked.set()

    jobs = [cron(tick, second=None, microsecond=0, name="tick")]
    workers = [worker(redis, queue, burst=False, stop=stop, cron_jobs=list(jobs)) for _ in range(3)]
    running = [asyncio.ensure_future(one.main()) for one in workers]
    await asyncio.wait_for(ticked.wait(), 10)
    stop.set()
    await asyncio.gather(*running)
    assert len(ticks) == len(set(ticks))


async def test_health_is_told_while_it_lives(redis: ArqRedis, queue: Queue) -> None:
    began, stop, let = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(_ctx: Context) -> None:
        began.set()
        await let.wait()

    await put(redis, queue, "work")
    one = worker(redis, queue, named("work", work), burst=False, stop=stop, health_check_interval=0.01)
    running = asyncio.ensure_future(one.main())
    await asyncio.wait_for(began.wait(), 5)
    async with asyncio.timeout(5):
        while not await redis.get(f"{queue.name}:health-check"):
            pass
    let.set()
    stop.set()
    await running
    assert await redis.get(f"{queue.name}:health-check") is None


async def test_burst_ends_with_the_queue_and_at_its_limit(redis: ArqRedis, queue: Queue) -> None:
    async def work(_ctx: Context) -> None:
        await asyncio.sleep(0)

    for _ in range(30):
        await put(redis, queue, "work")
    limited = worker(redis, queue, named("work", work), max_burst_jobs=10)
    await limited.main()
    assert limited.jobs_complete == 10
    rest = worker(redis, queue, named("work", work))
    await rest.main()
    assert rest.jobs_complete == 20


async def test_payloads_are_json() -> None:
    assert loads(dumps({"a": [1, "ü", None]})) == {"a": [1, "ü", None]}
