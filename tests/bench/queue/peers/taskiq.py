"""taskiq over Redis streams, with uvloop, results dropped; enqueued by 50 coroutines at a time."""

import asyncio
import time
from typing import Any

import uvloop
from taskiq.api import run_receiver_task  # type: ignore[import-not-found]  # lives in the peer's environment
from taskiq_redis import RedisStreamBroker  # type: ignore[import-not-found]  # the same

from tests.bench.queue.peers import job

_AT_ONCE = 50


async def _noop() -> None:
    await job.noop()


async def _io() -> None:
    await job.io()


def _broker(url: str) -> tuple[Any, dict[str, Any]]:
    broker = RedisStreamBroker(url)
    return broker, {name: broker.task(name)(function) for name, function in (("noop", _noop), ("io", _io))}


async def _put(url: str, kind: str, count: int) -> float:
    broker, tasks = _broker(url)
    await broker.startup()  # makes the consumer group, which must be there before the jobs
    began = time.perf_counter()

    async def some(first: int) -> None:
        for _ in range(first, count, _AT_ONCE):
            await tasks[kind].kiq()

    await asyncio.gather(*(some(first) for first in range(_AT_ONCE)))
    took = time.perf_counter() - began
    await broker.shutdown()
    return took


async def _work(url: str, slots: int) -> None:
    broker, _ = _broker(url)
    await run_receiver_task(broker, max_async_tasks=slots, run_startup=True)


def put(url: str, kind: str, count: int) -> float:
    return uvloop.run(_put(url, kind, count))


def work(url: str, slots: int) -> None:
    uvloop.run(_work(url, slots))


if __name__ == "__main__":
    job.command(put=put, work=work)
