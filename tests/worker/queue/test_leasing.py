"""Workers and their leases: a job belongs to a living worker, a dead one's is taken over, and none is ever dropped."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix

from tests.worker.queue.rig import (
    PATIENCE_S,
    Context,
    build,
    holds,
    job,
    job_id,
    leases,
    named,
    taken,
    until,
    worked_off,
    working,
)
from worker.queue.jobs import VERSION, Queue, dumps
from worker.queue.lease import poison


class Work:
    """Jobs that count their runs and end when they are let."""

    def __init__(self, *, at_once: int = 1) -> None:
        self.runs = Counter[str]()
        self.tries = Counter[int]()
        self.running = 0
        self.full = asyncio.Event()
        self.over = asyncio.Event()
        self.let = asyncio.Event()
        self._at_once = at_once

    async def work(self, ctx: Context, *_: str) -> None:
        self.runs[ctx["job_id"]] += 1
        self.tries[ctx["job_try"]] += 1
        self.running += 1
        if self.running >= self._at_once:
            self.full.set()
        try:
            await self.let.wait()
        finally:
            self.running -= 1
            self.over.set()

    async def begun(self) -> None:
        """Return once so many run at one time."""
        await asyncio.wait_for(self.full.wait(), PATIENCE_S)


@pytest.fixture
def work() -> Work:
    return Work()


async def test_a_job_longer_than_the_lease_runs_once(redis: ArqRedis, queue: Queue, work: Work) -> None:
    """It is renewed: nobody who asks all the time gets it."""
    await queue.put([job(queue, "j")])
    async with working(redis, queue, named("work", work.work), lease_s=0.3):
        await work.begun()
        greedy = leases(redis, queue, "greedy")
        three_leases_on = asyncio.get_running_loop().time() + 1
        while asyncio.get_running_loop().time() < three_leases_on:
            assert (await greedy.turn([], claim=1)).claims == []
        work.let.set()
        await worked_off(redis, queue)
    assert work.runs.total() == 1
    assert await redis.exists(job_key_prefix + job_id(queue, "j")) == 0


async def test_a_job_that_another_holds_by_now_is_cancelled(redis: ArqRedis, queue: Queue, work: Work) -> None:
    await queue.put([job(queue, "j")])
    async with working(redis, queue, named("work", work.work), lease_s=0.3):
        await work.begun()
        await redis.set(in_progress_key_prefix + job_id(queue, "j"), "another:1|0|r", ex=60)
        await asyncio.wait_for(work.over.wait(), PATIENCE_S)
    assert await holds(redis) == {job_id(queue, "j"): "another:1|0|r"}


async def test_a_dead_workers_job_is_taken_over_within_the_lease(redis: ArqRedis, queue: Queue, work: Work) -> None:
    await queue.put([job(queue, "j")])
    await taken(leases(redis, queue, "dead", lease_s=0.5))
    died = asyncio.get_running_loop().time()
    async with working(redis, queue, named("work", work.work)):
        await work.begun()
        assert 0.4 < asyncio.get_running_loop().time() - died < 0.5 + 1  # a second, since the machine may be busy
        work.let.set()
    assert work.tries == {1: 1}


async def test_a_backlog_of_any_age_is_run(redis: ArqRedis, queue: Queue, work: Work) -> None:
    """Written forty days ago, as its place in the queue and its payload say; stock arq drops it after one."""
    then_ms = int((datetime.now(UTC) - timedelta(days=40)).timestamp() * 1000)
    await queue.put([job(queue, "j")])
    assert await redis.ttl(job_key_prefix + job_id(queue, "j")) == -1
    old: dict[str, Any] = {"t": None, "f": "work", "a": [], "k": {}, "et": then_ms}
    await redis.set(job_key_prefix + job_id(queue, "j"), dumps(old))
    await redis.zadd(queue.name, {job_id(queue, "j"): then_ms})
    async with working(redis, queue, named("work", work.work)):
        await work.begun()
        work.let.set()
        await worked_off(redis, queue)


async def test_a_stopped_worker_hands_its_jobs_back(redis: ArqRedis, queue: Queue, work: Work) -> None:
    """Those it runs and those it claimed ahead, each to its old place, with no try burned and nothing held."""
    await queue.put(job(queue, f"j{number}") for number in range(30))
    before = await redis.zrange(queue.name, 0, -1, withscores=True)
    async with working(redis, queue, named("work", work.work), max_jobs=10, drain=timedelta(0)):
        await work.begun()
    assert await redis.zrange(queue.name, 0, -1, withscores=True) == before
    assert await holds(redis) == {}
    work.let.set()
    async with working(redis, queue, named("work", work.work)):
        await worked_off(redis, queue)
    assert work.tries == {1: 40}
    assert set(work.runs) == {job_id(queue, f"j{number}") for number in range(30)}


async def test_a_stopping_worker_gives_back_what_ends_meanwhile(redis: ArqRedis, queue: Queue, work: Work) -> None:
    """It does not sit on it until the slowest job has ended: a kill would make it run again."""

    async def quick(_ctx: Context) -> None:
        await work.full.wait()
        stop.set()

    stop = asyncio.Event()
    await queue.put([job(queue, "quick", "quick"), job(queue, "slow")])
    worker = build(redis, queue, named("work", work.work), named("quick", quick), stop=stop)
    running = asyncio.create_task(worker.main())

    async def only_slow_is_left() -> bool:
        return bool(await redis.zrange(queue.name, 0, -1) == [job_id(queue, "slow").encode()])

    await until(only_slow_is_left)
    assert work.running == 1
    work.let.set()
    await running
    assert await redis.zcard(queue.name) == 0


async def test_what_was_claimed_ahead_goes_back_when_slots_stay_taken(redis: ArqRedis, queue: Queue) -> None:
    """Many quick jobs, then long ones: what this worker holds and can't begin, another one runs."""
    long, other = Work(at_once=5), Work(at_once=45)

    async def quick(_ctx: Context) -> None:
        await asyncio.sleep(0.001)

    await queue.put(job(queue, f"quick{number}", "quick") for number in range(300))
    await queue.put(job(queue, f"long{number}", "long") for number in range(50))
    first = (named("quick", quick), named("long", long.work))
    async with working(redis, queue, *first, max_jobs=5):
        await long.begun()
        async with working(redis, queue, named("long", other.work), max_jobs=45):
            await other.begun()
            other.let.set()
            long.let.set()
            await worked_off(redis, queue)
    assert (long.runs + other.runs) == {job_id(queue, f"long{number}"): 1 for number in range(50)}
    assert long.tries + other.tries == {1: 50}


async def test_more_run_at_once_than_arq_would_read(redis: ArqRedis, queue: Queue) -> None:
    """Running jobs don't hide waiting ones: sixteen workers of ten slots fill all of them, where arq stops at 100."""
    work = Work(at_once=160)
    await queue.put(job(queue, f"j{number}") for number in range(200))
    async with working(redis, queue, named("work", work.work), count=16, max_jobs=10):
        await work.begun()
        assert work.running == 160
        work.let.set()
        await worked_off(redis, queue)
    assert work.runs.total() == 200


async def test_a_herd_of_workers_runs_each_job_once(redis: ArqRedis, queue: Queue) -> None:
    """After an outage: a long backlog, all workers start together. The cost of a job does not grow with the backlog."""
    runs = Counter[str]()

    async def work(ctx: Context) -> None:
        runs[ctx["job_id"]] += 1

    await queue.put(job(queue, f"j{number}") for number in range(20_000))
    await redis.config_resetstat()
    async with working(redis, queue, named("work", work), count=4, max_jobs=100):
        await worked_off(redis, queue)
    assert len(runs) == runs.total() == 20_000
    stats: dict[str, dict[str, int]] = await redis.info("commandstats")
    assert sum(command["calls"] for name, command in stats.items() if name != "cmdstat_zcard") / 20_000 < 9


async def test_one_job_from_twenty_clients(redis: ArqRedis, queue: Queue, work: Work) -> None:
    """While it waits and while it runs it is one job; once it is done, it is a new one, once."""

    async def twenty() -> None:
        await asyncio.gather(*(queue.put([job(queue, "j")]) for _ in range(20)))

    await twenty()
    async with working(redis, queue, named("work", work.work)):
        await work.begun()
        await twenty()
        work.let.set()
        await worked_off(redis, queue)
        assert work.runs.total() == 1
        await twenty()
        await worked_off(redis, queue)
    assert work.runs.total() == 2


async def test_queueing_twice_is_queueing_once_and_the_payload_is_json(redis: ArqRedis, queue: Queue) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    at_once = job(queue, "j", "work", "a")
    await queue.put([replace(at_once, at=later), at_once])
    await queue.put([replace(at_once, args=("b",))])
    assert await redis.zscore(queue.name, at_once.job_id) == pytest.approx(later.timestamp() * 1000, abs=1000)
    payload = json.loads(await redis.get(job_key_prefix + at_once.job_id) or b"")
    assert (payload["f"], payload["a"], payload["v"]) == ("work", ["a"], VERSION)
    assert await queue.holds(at_once)
    assert not await queue.holds(job(queue, "other"))


async def test_what_a_worker_does_not_know_waits_for_a_newer_one(redis: ArqRedis, queue: Queue, work: Work) -> None:
    """A function, or a payload of a later version: neither dropped nor blamed, and run by whoever knows it."""
    newer: dict[str, Any] = {"t": None, "f": "work", "a": [], "k": {}, "et": 1, "v": VERSION + 1}
    await queue.put([job(queue, "function", "of_tomorrow"), job(queue, "version")])
    await redis.set(job_key_prefix + job_id(queue, "version"), dumps(newer))
    now_ms = datetime.now(UTC).timestamp() * 1000

    async def both_are_put_off() -> bool:
        return await redis.zcount(queue.name, now_ms + 50_000, "+inf") == 2 and not await holds(redis)

    async with working(redis, queue, named("work", work.work)):
        await until(both_are_put_off)
    assert work.runs.total() == 0
    work.let.set()
    for name in ("function", "version"):
        assert await redis.exists(job_key_prefix + job_id(queue, name))
        await redis.zadd(queue.name, {job_id(queue, name): 1})
    await redis.set(job_key_prefix + job_id(queue, "version"), dumps(newer | {"v": VERSION}))
    async with working(redis, queue, named("work", work.work), named("of_tomorrow", work.work)):
        await worked_off(redis, queue)
    assert work.tries == {1: 2}


@pytest.mark.parametrize("payload", [b"\x80\x04pickle", b"[]", b'{"f": 1}', b"\xff", b""])
async def test_an_unreadable_payload_is_set_aside(redis: ArqRedis, queue: Queue, payload: bytes) -> None:
    async def known(_ctx: Context) -> None: ...

    await redis.set(job_key_prefix + job_id(queue, "j"), payload)
    await redis.zadd(queue.name, {job_id(queue, "j"): 1})
    await build(redis, queue, named("known", known), burst=True).main()
    assert await redis.hget(poison(queue.name), job_id(queue, "j")) == payload  # type: ignore[misc]  # redis-py
    assert await redis.zcard(queue.name) == 0


async def test_a_misrun_is_not_the_jobs_fault(redis: ArqRedis, queue: Queue, work: Work) -> None:
    """A hook that fails puts the job off; its try and its payload stay."""

    async def hook(_ctx: dict[Any, Any]) -> None:
        raise RuntimeError("the hook's own")

    await queue.put([job(queue, "j")])
    async with working(redis, queue, named("work", work.work), on_job_start=hook):

        async def is_put_off() -> bool:
            return bool(await redis.zcount(queue.name, datetime.now(UTC).timestamp() * 1000 + 31_000, "+inf"))

        await until(is_put_off)
        await until(lambda: _is_free(redis))
    await redis.zadd(queue.name, {job_id(queue, "j"): 1})
    work.let.set()
    async with working(redis, queue, named("work", work.work)):
        await worked_off(redis, queue)
    assert work.tries == {1: 1}


async def _is_free(redis: ArqRedis) -> bool:
    return not await holds(redis)
