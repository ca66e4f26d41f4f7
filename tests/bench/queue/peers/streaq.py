"""streaq, with uvloop; enqueued by its `enqueue_many`, 1,000 at a time."""

import time
from typing import Any

import uvloop
from streaq import Worker  # type: ignore[import-not-found]  # lives in the peer's environment

from tests.bench.queue.peers import job

_AT_ONCE = 1_000


async def noop() -> None:
    await job.noop()


async def io() -> None:
    await job.io()


def _worker(url: str, slots: int) -> tuple[Any, dict[str, Any]]:
    worker = Worker(redis_url=url, concurrency=slots, anyio_kwargs={"use_uvloop": True})
    return worker, {"noop": worker.task(ttl=0)(noop), "io": worker.task(ttl=0)(io)}


async def _put(url: str, kind: str, count: int) -> float:
    worker, tasks = _worker(url, 1)
    async with worker:
        began = time.perf_counter()
        for first in range(0, count, _AT_ONCE):
            await worker.enqueue_many([tasks[kind].enqueue() for _ in range(first, min(count, first + _AT_ONCE))])
        return time.perf_counter() - began


def put(url: str, kind: str, count: int) -> float:
    return uvloop.run(_put(url, kind, count))


def work(url: str, slots: int) -> None:
    _worker(url, slots)[0].run_sync()


if __name__ == "__main__":
    job.command(put=put, work=work)
