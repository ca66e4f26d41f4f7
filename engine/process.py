"""`python -m engine`: the embedded enrollment service as a process of its own.

`--reseal` seals all voiceprints under the current key, says how far it is, and ends: 0 if none is left out. It may run
beside engines, be stopped and be started again. `--check` tells whether a process of this host works off jobs: 0 if so.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import asdict
from typing import NoReturn

import structlog
from aiohttp import web
from redis.asyncio import Redis

from config.process import EXIT_FAILED, EXIT_OK, UnavailableError, run
from config.settings import Engine, Settings
from engine.service import store
from engine.service.app import create_app
from engine.service.crew import Crew
from engine.service.failure import StoreAwayError
from engine.service.parts import PARTS, seal_of
from engine.service.reseal import Progress, Resealer

_SHUTDOWN_S = 5.0  # requests under way get this long to end
_TOLD_S = 2.0

_log = structlog.get_logger()


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Take requests, work off jobs, or both, until told to stop.

    Raises:
        SettingsError: a secret is missing.
        UnavailableError: Redis, the model or the address to listen on can't be had.
    """
    app = create_app(settings)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
    try:
        await runner.setup()
        if settings.engine.role != "work":
            await _listen(runner, settings.engine)
        _log.info(
            "engine.started", role=settings.engine.role, address=runner.addresses or None, account=settings.account
        )
        fate = app[PARTS].fate
        waits = [asyncio.create_task(event.wait()) for event in (stop, fate.broken)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if fate.broken.is_set():
            raise UnavailableError(fate.reason)
    finally:
        await runner.cleanup()
        _log.info("engine.stopped")


async def _listen(runner: web.AppRunner, engine: Engine) -> None:
    site: web.BaseSite
    if engine.fd is not None:
        site = web.SockSite(runner, socket.socket(fileno=engine.fd))
    else:
        site = web.TCPSite(runner, engine.host, engine.port)
    try:
        await site.start()
    except OSError as error:
        raise UnavailableError(
            f"can't listen on {engine.host}:{engine.port} ({error.strerror}); stop what listens there, "
            "or set VOXROLL_ENGINE_PORT"
        ) from error


async def reseal(settings: Settings, stop: asyncio.Event) -> int:
    """Seal all voiceprints under the current key.

    Raises:
        SettingsError: there is no key.
        UnavailableError: Redis can't be had.
    """
    redis, done, told_s = Redis(connection_pool=store.pool(settings.redis)), Progress(), time.monotonic()
    try:
        await store.wait_until_there(redis, settings.redis)
        async with contextlib.aclosing(Resealer(redis, seal_of(settings), account=settings.account).run()) as walk:
            async for done in walk:
                if stop.is_set():
                    break
                if time.monotonic() - told_s > _TOLD_S:
                    told_s = time.monotonic()
                    _log.info("reseal.progressed", **asdict(done))
    except StoreAwayError as error:
        raise UnavailableError(f"{error}; what is done stays done, run it again") from error
    finally:
        await redis.aclose(close_connection_pool=True)
    is_whole = not (done.failed or stop.is_set())
    _log.info("reseal.ended" if is_whole else "reseal.incomplete", **asdict(done))
    return EXIT_OK if is_whole else EXIT_FAILED


async def check(settings: Settings, _stop: asyncio.Event) -> int:
    """Print who works off jobs."""
    redis = Redis(connection_pool=store.pool(settings.redis))
    try:
        await store.wait_until_there(redis, settings.redis)
        look = await Crew(redis, account=settings.account, threads=0).look()
    except StoreAwayError as error:
        raise UnavailableError(str(error)) from error
    finally:
        await redis.aclose(close_connection_pool=True)
    sys.stdout.write(json.dumps(look._asdict()) + "\n")
    return EXIT_OK if socket.gethostname() in look.hosts else EXIT_FAILED


_TASKS = {"--check": check, "--reseal": reseal}


def main() -> NoReturn:
    """Run the process to its end."""
    code = run("engine", next((_TASKS[word] for word in sys.argv[1:] if word in _TASKS), serve))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a recording that is listened to went back to the queue: nobody waits minutes for its thread
