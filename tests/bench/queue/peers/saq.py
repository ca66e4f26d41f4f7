"""SAQ, with uvloop; enqueued by 50 coroutines at a time."""

import asyncio
import time
from typing import Any

import uvloop
from redis.asyncio import Redis
from saq import Worker  # type: ignore[import-not-found]  # lives in the peer's environment
from saq.queue.redis import RedisQueue  # type: ignore[import-not-found]  # the same

from tests.bench.queue.peers import job

_AT_ONCE = 50


def _queue(url: str) -> Any:
    return RedisQueue(Redis.from_url(url))  # Queue.from_url doesn't know unix://


async def _put(url: str, kind: str, count: int) -> float:
    queue = _queue(url)
    await queue.connect()
    began = time.perf_counter()

    async def some(first: int) -> None:
        for _ in range(first, count, _AT_ONCE):
            await queue.enqueue(kind, ttl=-1)  # no results, as with the others

    await asyncio.gather(*(some(first) for first in range(_AT_ONCE)))
    took = time.perf_counter() - began
    await queue.disconnect()
    return took


async def _noop(_ctx: object) -> None:
    await job.noop()


async def _io(_ctx: object) -> None:
    await job.io()


async def _work(url: str, slots: int) -> None:
    await Worker(_queue(url), [("noop", _noop), ("io", _io)], concurrency=slots).start()


def put(url: str, kind: str, count: int) -> float:
    return uvloop.run(_put(url, kind, count))


def work(url: str, slots: int) -> None:
    uvloop.run(_work(url, slots))


if __name__ == "__main__":
    job.command(put=put, work=work)
