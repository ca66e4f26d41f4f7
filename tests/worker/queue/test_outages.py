"""Redis frozen, restarted, full, emptied of scripts, cut off before it answers: nothing is lost or runs twice."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.cron import cron
from pydantic import SecretStr
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from config.settings import Redis
from tests.support.valkey import ValkeyProcess
from tests.worker.queue.rig import Context, job, named, until, worked_off, working
from worker.queue.connect import client, close
from worker.queue.jobs import Queue, queue_name

_ACCOUNT = "outage"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyProcess]:
    """A server of the test's own."""
    valkey = ValkeyProcess(tmp_path / "valkey", fsync="always")
    valkey.start()
    yield valkey
    valkey.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[ArqRedis]:
    """A client that waits a second at most for an answer."""
    redis = client(Redis(url=SecretStr(url), timeout=timedelta(seconds=1)), queue_name=queue_name(_ACCOUNT))
    yield redis
    await close(redis)


class Tally:
    """A job that counts its runs, and how often it was tried before."""

    def __init__(self) -> None:
        self.runs = Counter[str]()
        self.tries = Counter[int]()

    async def work(self, ctx: Context, *_: str) -> None:
        self.runs[ctx["job_id"]] += 1
        self.tries[ctx["job_try"]] += 1
        await asyncio.sleep(0.001)

    async def tick(self, ctx: Context, *_args: Any, **_kwargs: Any) -> None:
        assert ctx["job_id"].startswith("tick:")

    async def reached(self, count: int) -> None:
        """Return once so many have run."""

        async def has_run() -> bool:
            return len(self.runs) >= count

        await until(has_run)

    def each_once(self, count: int) -> None:
        assert self.runs.total() == len(self.runs) == count
        assert self.tries == {1: count}


def jobs(queue: Queue, first: int, last: int) -> Iterator[Any]:
    return (job(queue, f"j{number}") for number in range(first, last))


async def test_a_frozen_redis_costs_no_job(server: ValkeyProcess) -> None:
    """Three seconds without an answer, a second's patience each: the worker stays, what ended meanwhile ended once."""
    tally = Tally()
    async with connected(server.url) as redis:
        queue = Queue(redis, account=_ACCOUNT)
        await queue.put(jobs(queue, 0, 2000))
        async with working(redis, queue, named("work", tally.work), max_jobs=20) as (worker,):
            await tally.reached(500)
            server.signal(signal.SIGSTOP)
            await asyncio.sleep(3)  # that long it is frozen
            server.signal(signal.SIGCONT)
            await worked_off(redis, queue)
            assert worker.jobs_complete == 2000
    tally.each_once(2000)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restarted_redis_costs_no_job(server: ValkeyProcess, how: signal.Signals) -> None:
    """It ends in the midst of things and comes back with its append-only file; what is queued then is run as well."""
    tally = Tally()
    async with connected(server.url) as redis:
        queue = Queue(redis, account=_ACCOUNT)
        await queue.put(jobs(queue, 0, 2000))
        async with working(redis, queue, named("work", tally.work), max_jobs=20):
            await tally.reached(500)
            server.kill(how)
            server.start()
            await queue.put(jobs(queue, 2000, 2100))
            await worked_off(redis, queue)
    tally.each_once(2100)


async def test_a_full_redis_takes_no_more_and_is_worked_off(server: ValkeyProcess) -> None:
    """At `maxmemory` nothing new is queued, not even in part; what is queued is run, which makes room again."""
    tally = Tally()
    async with connected(server.url) as redis:
        queue = Queue(redis, account=_ACCOUNT)
        await queue.put(jobs(queue, 0, 2000))
        await redis.config_set("maxmemory", 1)
        with pytest.raises(OutOfMemoryError):
            await queue.put(jobs(queue, 2000, 2100))
        assert await redis.zcard(queue.name) == 2000
        ticking = [cron(tally.tick, name="tick", second=None, run_at_startup=True)]
        async with working(redis, queue, named("work", tally.work), max_jobs=20, cron_jobs=ticking):
            await worked_off(redis, queue)
            await redis.config_set("maxmemory", 0)
            await queue.put(jobs(queue, 2000, 2100))
            await worked_off(redis, queue)
    tally.each_once(2100)


async def test_a_redis_that_is_read_only_for_a_while_costs_no_job(server: ValkeyProcess) -> None:
    """As in the midst of a failover."""
    tally = Tally()
    async with connected(server.url) as redis:
        queue = Queue(redis, account=_ACCOUNT)
        await queue.put(jobs(queue, 0, 2000))
        async with working(redis, queue, named("work", tally.work), max_jobs=20):
            await tally.reached(500)
            await redis.replicaof("127.0.0.1", 1)
            with pytest.raises(ReadOnlyError):
                await queue.put(jobs(queue, 2000, 2100))
            await redis.replicaof("NO", "ONE")
            await worked_off(redis, queue)
    tally.each_once(2000)


async def test_scripts_that_redis_forgot_are_loaded_again(server: ValkeyProcess) -> None:
    tally = Tally()
    async with connected(server.url) as redis:
        queue = Queue(redis, account=_ACCOUNT)
        async with working(redis, queue, named("work", tally.work), max_jobs=20, lease_s=0.2):
            for first in range(0, 1000, 100):
                await redis.script_flush()
                await queue.put(jobs(queue, first, first + 100))
                await tally.reached(first + 50)
            await worked_off(redis, queue)
    tally.each_once(1000)


async def test_answers_that_never_come_cost_no_job(server: ValkeyProcess, tmp_path: Path) -> None:
    """Each eleventh answer is lost with its connection: Redis has taken the jobs, and given them back, all the same."""
    tally, path = Tally(), str(tmp_path / "cut.sock")
    async with (
        cutting(server.url.removeprefix("unix://"), path, every=11) as cut,
        connected(f"unix://{path}") as redis,
        connected(server.url) as direct,
    ):
        queue = Queue(redis, account=_ACCOUNT)
        for first in range(0, 2000, 50):
            await queue.put(jobs(queue, first, first + 50))
        async with working(redis, queue, named("work", tally.work), max_jobs=20):
            await worked_off(direct, queue)
    assert cut.total() > 10
    tally.each_once(2000)


@asynccontextmanager
async def cutting(server: str, path: str, *, every: int) -> AsyncIterator[Counter[str]]:
    """A way to the server that cuts the connection instead of passing on each so manieth answer; counts the cuts."""
    cut, passed = Counter[str](), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal passed
        from_server, to_server = await asyncio.open_unix_connection(server)
        asking = asyncio.create_task(copy(reader, to_server))
        while answer := await from_server.read(1 << 20):
            passed += 1
            if passed % every == 0:
                cut["answers"] += 1
                break
            writer.write(answer)
        for side in (writer, to_server):
            side.close()
        await asking

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(1 << 20):
            writer.write(asked)
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield cut
