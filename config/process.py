"""How a process of Voxroll starts and ends, the same for all three.

Settings are read, logs set up, then `serve(settings, stop)` runs until `stop` is set by SIGTERM, by SIGINT, or, when
the process was started with `--attached`, by the end of standard input: a supervisor that was killed closes it, and so
leaves no orphan. Exit codes are
those of sysexits.h, and 1 for a check that found something wrong.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import uvloop

from config import logs
from config.settings import Settings, SettingsError, load

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_UNAVAILABLE = 69
EXIT_HUNG = 70
EXIT_CONFIG = 78
_CANCEL_AGAIN_S = 0.2
_LAST_S = 25.0  # an orphan that hangs while it stops is ended: it would hold on to its jobs and its port

Serve = Callable[[Settings, asyncio.Event], Awaitable[int | None]]


class UnavailableError(Exception):
    """Something that the process needs at start is not there; the message names it, its address and the way out."""


def run(name: str, serve: Serve) -> int:
    """Run one process to its end and return its exit code."""
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"voxroll {name}: settings can't be used:\n{error}\n")
        return EXIT_CONFIG
    logs.configure(settings.log, process=name)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve_until_stopped(serve, settings)) or EXIT_OK
    except SettingsError as error:
        structlog.get_logger().error("process.refused", reason=str(error))
        return EXIT_CONFIG
    except UnavailableError as error:
        structlog.get_logger().error("process.refused", reason=str(error))
        return EXIT_UNAVAILABLE


async def _serve_until_stopped(serve: Serve, settings: Settings) -> int | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if "--attached" in sys.argv[1:]:
        threading.Thread(target=_set_at_eof, args=(loop, stop), daemon=True).start()
    return await serve(settings, stop)


def _set_at_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)
    time.sleep(_LAST_S)  # a daemon thread: it ends with the process, if that ends in time
    os._exit(EXIT_HUNG)


async def end(*tasks: asyncio.Future[Any]) -> list[Any]:
    """Cancel tasks until they have ended, and return their results or exceptions.

    For tasks that clean nothing up while they end: a second cancellation would cut that short. Cancelling once is not
    enough: what waits for a pooled connection may swallow it (seen with redis-py's pool on
    Python 3.11, once in about twenty stops) and would go on for ever.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)
    return await asyncio.gather(*tasks, return_exceptions=True)


def is_cancelled() -> bool:
    """Whether somebody has cancelled the running task, also where that was swallowed (see `end`)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
