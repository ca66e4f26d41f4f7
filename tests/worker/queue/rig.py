"""What the queue's tests share: workers, in this process and in their own; jobs, and what became of them."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.worker import Function, func

from worker.queue.jobs import Job, Queue
from worker.queue.lease import Claim, Leases
from worker.queue.leasing import LeasingWorker

PATIENCE_S = 20
_ROOT = Path(__file__).resolve().parents[3]

Context = dict[str, Any]


def named(name: str, function: Callable[..., Awaitable[Any]], **options: Any) -> Function:
    """A function of a worker, under a name of its own."""
    return func(function, name=name, **options)  # type: ignore[arg-type]  # arq's protocol wants **kwargs


def job(queue: Queue, name: str, function: str = "work", *args: str) -> Job:
    """A job under an id as the house makes them."""
    return Job(function, args, job_id(queue, name))


def job_id(queue: Queue, name: str) -> str:
    return f"{{{queue.account}}}:{name}"


def leases(redis: ArqRedis, queue: Queue, token: str, *, lease_s: float = 0.2) -> Leases:
    """One side of the leases alone, without a worker."""
    return Leases(redis, queue_name=queue.name, lease=timedelta(seconds=lease_s), token=token)


async def taken(held: Leases, count: int = 1) -> list[Claim]:
    """So many jobs, once they are due."""
    found = list[Claim]()
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += (await held.turn([], claim=100)).claims
    return found


def build(redis: ArqRedis, queue: Queue, *functions: Function, lease_s: float = 30, **options: Any) -> LeasingWorker:
    """A worker in this process."""
    usual: dict[str, Any] = {"poll_delay": 0.01, "queue_name": queue.name, "redis_pool": redis}
    usual |= {"stop": asyncio.Event(), "drain": timedelta(seconds=5)}
    options["cron_jobs"] = [replace(cron_job) for cron_job in options.get("cron_jobs", [])]  # each has its own next run
    return LeasingWorker(list(functions), lease=timedelta(seconds=lease_s), **usual | options)


@asynccontextmanager
async def working(
    redis: ArqRedis, queue: Queue, *functions: Function, count: int = 1, **options: Any
) -> AsyncIterator[list[LeasingWorker]]:
    """Workers in this process that work as long as the block; none may fail."""
    stop = asyncio.Event()
    workers = [build(redis, queue, *functions, stop=stop, **options) for _ in range(count)]
    running = [asyncio.create_task(worker.main()) for worker in workers]
    try:
        yield workers
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*running), PATIENCE_S)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 -- Redis tells of what is asked here by no event
            await asyncio.sleep(0)


async def worked_off(redis: ArqRedis, queue: Queue) -> None:
    """Wait until the queue is empty."""

    async def is_empty() -> bool:
        return not await redis.zcard(queue.name)

    await until(is_empty)


async def told(redis: ArqRedis, key: str, count: int) -> Counter[str]:
    """The next so many entries of a list that jobs write to."""
    found = Counter[str]()
    async with asyncio.timeout(PATIENCE_S):
        while found.total() < count:
            entry = await redis.blpop([key], timeout=1)  # type: ignore[misc]  # redis-py
            if entry:
                found[entry[1].decode()] += 1
    return found


async def holds(redis: ArqRedis) -> dict[str, str]:
    """Who holds which job, as the in-progress keys say."""
    keys = await redis.keys(in_progress_key_prefix + "*")
    values = await redis.mget(keys) if keys else []
    return {
        key.decode().removeprefix(in_progress_key_prefix): value.decode()
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


class WorkerProcess:
    """A worker in a process of its own (see `process.py`)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self._process.wait(), PATIENCE_S)

    async def logged(self, event: str) -> Mapping[str, Any]:
        """The next line of its log about an event."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self._process.stdout.readline():
                entry: dict[str, Any] = json.loads(line)
                if entry["event"] == event:
                    return entry
        raise AssertionError(f"it ended without {event}")


@asynccontextmanager
async def worker_process(
    url: str, queue: Queue, *, environment: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[WorkerProcess]:
    """Start one; it is killed at the end of the block if it still lives."""
    command = ["-m", "tests.worker.queue.process", url, queue.name, json.dumps({"poll_delay": 0.01} | options)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=_ROOT, env=os.environ | (environment or {}), stdout=subprocess.PIPE
    )
    try:
        yield WorkerProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
