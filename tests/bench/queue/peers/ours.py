"""Our worker: jobs are claimed by lease, enqueued by `Queue.put` in calls of 1,000."""

import asyncio
import signal
import time
from datetime import timedelta
from typing import Any

import structlog
import uvloop
from arq.worker import Function
from pydantic import SecretStr

from config.settings import Redis as RedisSettings
from tests.bench.queue.peers import job
from worker.queue.connect import client, close
from worker.queue.jobs import Job, Queue, queue_name
from worker.queue.leasing import LeasingWorker

_ACCOUNT = "bench"
_AT_ONCE = 1_000
_LEASE = timedelta(seconds=30)  # the worker's default


def _connect(url: str) -> Any:
    return client(RedisSettings(url=SecretStr(url)), queue_name=queue_name(_ACCOUNT))


async def _put(url: str, kind: str, count: int) -> float:
    redis = _connect(url)
    await redis.ping()
    queue = Queue(redis, account=_ACCOUNT)
    began = time.perf_counter()
    for first in range(0, count, _AT_ONCE):
        await queue.put([Job(kind, (), f"{{{_ACCOUNT}}}:{n}") for n in range(first, min(count, first + _AT_ONCE))])
    took = time.perf_counter() - began
    await close(redis)
    return took


async def _work(url: str, slots: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    redis = _connect(url)
    functions = [
        Function(name, coroutine, 600, None, None, None)  # type: ignore[arg-type]  # arq wants **kwargs
        for name, coroutine in (("noop", job.noop), ("io", job.io))
    ]
    options: dict[str, Any] = {"queue_name": queue_name(_ACCOUNT), "redis_pool": redis, "max_jobs": slots}
    await LeasingWorker(functions, lease=_LEASE, stop=stop, **options).main()
    await close(redis)


def put(url: str, kind: str, count: int) -> float:
    return uvloop.run(_put(url, kind, count))


def work(url: str, slots: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    uvloop.run(_work(url, slots))


if __name__ == "__main__":
    job.command(put=put, work=work)
