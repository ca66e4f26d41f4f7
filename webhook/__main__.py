"""The front door as a process: `python -m webhook`."""

import asyncio
import gc
import socket
import sys

import structlog
from aiohttp import web

from config import process
from config.settings import Settings, SettingsError
from webhook.app import create_app
from webhook.front import put_in_front

_log = structlog.get_logger()
_DRAIN_S = 10.0
_COLLECT_AFTER = 50_000  # new objects; the usual 700 stop a busy door for milliseconds, again and again


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`, then let open requests end."""
    if not settings.webhook.token_key.get_secret_value():
        raise SettingsError("VOXROLL_WEBHOOK_TOKEN_KEY is not set: the front door and the worker need the same one")
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=_DRAIN_S)
    await runner.setup()
    try:
        put_in_front(runner)
        _spare_collections()
        site = _site(runner, settings)
        await site.start()
        _log.info("webhook.started", address=site.name)
        await stop.wait()
    finally:
        await runner.cleanup()
    _log.info("webhook.stopped")


def _spare_collections() -> None:
    """What is there now stays for good: the collector need not look at it ever again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])


def _site(runner: web.AppRunner, settings: Settings) -> web.BaseSite:
    if settings.webhook.fd is not None:
        return web.SockSite(runner, socket.socket(fileno=settings.webhook.fd))
    return web.TCPSite(runner, settings.webhook.host, settings.webhook.port)


if __name__ == "__main__":
    sys.exit(process.run("webhook", serve))
