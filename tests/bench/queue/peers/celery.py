"""celery with the gevent pool, no results, its default early acknowledgement; enqueued one by one."""

from gevent import monkey  # type: ignore[import-untyped]  # lives in the peer's environment

monkey.patch_all()

import time  # noqa: E402  # gevent must be first
from typing import Any  # noqa: E402  # the same

from celery import Celery  # type: ignore[import-not-found]  # noqa: E402  # the same

from tests.bench.queue.peers import job  # noqa: E402  # the same


def _app(url: str) -> tuple[Any, dict[str, Any]]:
    app = Celery("bench", broker=url.replace("unix://", "redis+socket://"))
    app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=False)
    jobs = {"noop": job.noop_sync, "io": job.io_sync}
    return app, {name: app.task(function, name=name) for name, function in jobs.items()}


def put(url: str, kind: str, count: int) -> float:
    _, tasks = _app(url)
    began = time.perf_counter()
    for _ in range(count):
        tasks[kind].delay()
    return time.perf_counter() - began


def work(url: str, slots: int) -> None:
    app, _ = _app(url)
    quiet = ["--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["worker", "--pool", "gevent", "--concurrency", str(slots), *quiet])


if __name__ == "__main__":
    job.command(put=put, work=work)
