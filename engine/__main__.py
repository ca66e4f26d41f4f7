"""`python -m engine`: the embedded enrollment service as a process of its own."""

import asyncio
import os
import socket
import sys

import structlog
from aiohttp import web

from config.process import UnavailableError, run
from config.settings import Engine, Settings
from engine.service.app import create_app
from engine.service.parts import PARTS

_SHUTDOWN_S = 5.0  # requests under way get this long to end

_log = structlog.get_logger()


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve the contract until told to stop.

    Raises:
        SettingsError: a secret is missing.
        UnavailableError: Redis, the model or the address to listen on can't be had.
    """
    app = create_app(settings)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
    try:
        await runner.setup()
        await _listen(runner, settings.engine)
        _log.info("engine.listening", address=runner.addresses, account=settings.account)
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


if __name__ == "__main__":
    code = run("engine", serve)
    sys.stderr.flush()
    os._exit(code)  # a recording that is listened to went back to the queue: nobody waits minutes for its thread
