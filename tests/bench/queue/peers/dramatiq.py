"""dramatiq: its threaded worker, one process with as many threads as slots; enqueued one by one."""

import threading
import time
from typing import Any

import dramatiq  # type: ignore[import-not-found]  # lives in the peer's environment
from dramatiq.brokers.redis import RedisBroker  # type: ignore[import-not-found]  # the same

from tests.bench.queue.peers import job


def _broker(url: str) -> tuple[Any, dict[str, Any]]:
    broker = RedisBroker(url=url)
    jobs = {"noop": job.noop_sync, "io": job.io_sync}
    return broker, {name: dramatiq.actor(fn, actor_name=name, broker=broker) for name, fn in jobs.items()}


def put(url: str, kind: str, count: int) -> float:
    _, actors = _broker(url)
    began = time.perf_counter()
    for _ in range(count):
        actors[kind].send()
    return time.perf_counter() - began


def work(url: str, slots: int) -> None:
    broker, _ = _broker(url)
    dramatiq.Worker(broker, worker_threads=slots).start()
    threading.Event().wait()


if __name__ == "__main__":
    job.command(put=put, work=work)
