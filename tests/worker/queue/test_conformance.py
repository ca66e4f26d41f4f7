"""What arq's documentation promises of a worker, held against ours: retry, defer, cron, abort, results, burst."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from arq import Retry
from arq.connections import ArqRedis
from arq.constants import result_key_prefix
from arq.cron import cron
from arq.jobs import Job as ArqJob
from arq.jobs import JobStatus
from arq.worker import Function, RetryJob

from tests.worker.queue.rig import Context, named, until, working
from worker.queue.jobs import Queue, dumps, loads
from worker.queue.leasing import LeasingWorker


def worker(redis: ArqRedis, queue: Queue, *functions: Function, **options: Any) -> LeasingWorker:
    usual: dict[str, Any] = {"burst": True, "poll_delay": 0.01, "stop": asyncio.Event()}
    return LeasingWorker(
        list(functions), lease=timedelta(seconds=5), queue_name=queue.name, redis_pool=redis, **usual | options
    )


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
    ticks: asyncio.Queue[str] = asyncio.Queue()

    async def tick(ctx: Context) -> None:
        ticks.put_nowait(ctx["job_id"])

    jobs = [cron(tick, second=None, microsecond=0, name="tick")]
    async with working(redis, queue, count=3, cron_jobs=jobs):
        ran = [await asyncio.wait_for(ticks.get(), 5) for _ in range(3)]
    assert len(ran) == len(set(ran))
    assert [int(job_id.removeprefix("tick:")) - int(ran[0].removeprefix("tick:")) for job_id in ran] == [0, 1000, 2000]


async def test_health_is_told_while_it_lives(redis: ArqRedis, queue: Queue) -> None:
    let = asyncio.Event()

    async def work(_ctx: Context) -> None:
        await let.wait()

    async def is_told() -> bool:
        told = await redis.get(f"{queue.name}:health-check") or b""
        return b"j_complete=0 j_failed=0 j_retried=0 j_ongoing=1 queued=1" in told

    await put(redis, queue, "work")
    async with working(redis, queue, named("work", work), health_check_interval=0.01):
        await until(is_told)
        let.set()
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


async def test_a_retry_is_a_failure_where_retries_are_off(redis: ArqRedis, queue: Queue) -> None:
    async def again(_ctx: Context) -> None:
        raise Retry

    made = await put(redis, queue, "again")
    one = worker(redis, queue, named("again", again), retry_jobs=False, keep_result=60)
    await one.main()
    assert (one.jobs_retried, one.jobs_failed) == (0, 1)
    info = await made.result_info()
    assert info is not None
    assert not info.success


async def test_retry_job_runs_it_again_at_once(redis: ArqRedis, queue: Queue) -> None:
    async def again(ctx: Context) -> int:
        if ctx["job_try"] == 1:
            raise RetryJob
        tried: int = ctx["job_try"]
        return tried

    made = await put(redis, queue, "again")
    await worker(redis, queue, named("again", again, keep_result=60)).main()
    assert await made.result(timeout=1) == 2


async def test_arguments_and_tries_are_the_enqueuers(redis: ArqRedis, queue: Queue) -> None:
    seen = list[tuple[Any, ...]]()

    async def work(ctx: Context, *args: Any, **kwargs: Any) -> None:
        seen.append((ctx["job_try"], args, kwargs))

    await put(redis, queue, "work", 1, [2, None], _job_try=4, word="ü")
    (waiting,) = await redis.queued_jobs(queue_name=queue.name)
    assert (waiting.function, list(waiting.args), waiting.kwargs) == ("work", [1, [2, None]], {"word": "ü"})
    await worker(redis, queue, named("work", work)).main()
    assert seen == [(4, (1, [2, None]), {"word": "ü"})]


async def test_hooks_are_called_in_their_order(redis: ArqRedis, queue: Queue) -> None:
    called = list[str]()

    def hook(name: str) -> Callable[[Context], Awaitable[None]]:
        async def call(ctx: Context) -> None:
            called.append(f"{name} {ctx.get('job_try', '')}".strip())

        return call

    hooks = {name: hook(name) for name in ("on_startup", "on_job_start", "on_job_end")}
    await put(redis, queue, "work")
    await worker(redis, queue, named("work", hook("work")), **hooks).main()
    assert called == ["on_startup", "on_job_start 1", "work 1", "on_job_end 1"]


async def test_a_result_may_be_kept_for_ever(redis: ArqRedis, queue: Queue) -> None:
    async def work(_ctx: Context) -> str:
        return "kept"

    made = await put(redis, queue, "work")
    await worker(redis, queue, named("work", work, keep_result_forever=True)).main()
    assert await made.result(timeout=1) == "kept"
    assert await redis.ttl(result_key_prefix + made.job_id) == -1
    await redis.delete(result_key_prefix + made.job_id)


async def test_a_waiting_job_is_aborted_before_it_begins(redis: ArqRedis, queue: Queue) -> None:
    ran = asyncio.Event()

    async def work(_ctx: Context) -> None:
        ran.set()

    made = await put(redis, queue, "work", _defer_by=3600)
    aborting = asyncio.create_task(made.abort(timeout=10, poll_delay=0.01))

    async def is_moved_up() -> bool:
        return await made.status() == JobStatus.queued

    await until(is_moved_up)
    await worker(redis, queue, named("work", work), allow_abort_jobs=True, keep_result=60).main()
    assert await aborting
    assert not ran.is_set()


async def test_a_cron_job_may_run_at_startup(redis: ArqRedis, queue: Queue) -> None:
    ran = asyncio.Event()

    async def tick(ctx: Context, *_args: Any, **_kwargs: Any) -> None:
        assert ctx["job_try"] == 1
        ran.set()

    await worker(
        redis, queue, cron_jobs=[cron(tick, month=1, run_at_startup=True)], max_burst_jobs=1, burst=True
    ).main()
    assert ran.is_set()


async def test_payloads_are_json() -> None:
    assert loads(dumps({"a": [1, "ü", None]})) == {"a": [1, "ü", None]}
