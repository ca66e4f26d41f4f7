"""A worker process for tests: `python -m tests.worker.queue.process URL QUEUE OPTIONS`, options in JSON.

Its jobs tell of themselves in the lists `began` and `ended` as `name:try`. Its log goes to standard output, in JSON.
"""

import asyncio
import json
import os
import signal
import sys
import time
from datetime import timedelta
from typing import Any

import structlog
import time_machine
from arq.worker import func
from pydantic import SecretStr

from config.settings import Redis
from worker.queue.connect import client, close
from worker.queue.leasing import LeasingWorker

Context = dict[str, Any]
let = asyncio.Event()


async def brief(ctx: Context, name: str) -> None:
    """Take a moment."""
    await ctx["redis"].rpush("began", f"{name}:{ctx['job_try']}")
    await asyncio.sleep(0.02)
    await ctx["redis"].rpush("ended", f"{name}:{ctx['job_try']}")


async def held(ctx: Context, name: str) -> str:
    """Last until SIGUSR1."""
    await ctx["redis"].rpush("began", f"{name}:{ctx['job_try']}")
    await let.wait()
    return f"{os.getpid()}"


async def deadly(ctx: Context, how: str, seconds: str) -> None:
    """Take the process along, one way or another."""
    await ctx["redis"].rpush("began", f"deadly:{ctx['job_try']}")
    match how:
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "os._exit":
            os._exit(3)
        case "sys.exit":
            sys.exit(4)
        case "MemoryError":
            bytearray(1 << 62)
        case "blocking":
            time.sleep(float(seconds))  # noqa: ASYNC251 -- that is its crime
        case _:
            raise ValueError(how)


async def main(
    url: str, queue_name: str, *, lease_s: float, drain_s: float = 15, clock_h: int = 0, **options: Any
) -> None:
    """Work until SIGTERM, with a clock that is wrong by some hours."""
    time_machine.travel(time.time() + 3600 * clock_h, tick=True).start()
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, let.set)
    redis = client(Redis(url=SecretStr(url)), queue_name=queue_name)

    async def on_poison(function: str, args: tuple[Any, ...]) -> None:
        await redis.hset("told", function, json.dumps(args))  # type: ignore[misc]  # redis-py

    await LeasingWorker(
        [func(function, name=function.__name__) for function in (brief, held, deadly)],
        lease=timedelta(seconds=lease_s),
        drain=timedelta(seconds=drain_s),
        stop=stop,
        on_poison=on_poison,
        queue_name=queue_name,
        redis_pool=redis,
        **options,
    ).main()
    await close(redis)


if __name__ == "__main__":
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    asyncio.run(main(sys.argv[1], sys.argv[2], **json.loads(sys.argv[3])))
