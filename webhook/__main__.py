"""The front door as a process: `python -m webhook`."""

import asyncio
import socket
import sys

import structlog
from aiohttp import web

from config import process
from config.settings import Settings, SettingsError
from webhook.app import create_app

_log = structlog.get_logger()
_DRAIN_S = 10.0


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`, then let open requests end."""
    if not settings.webhook.token_key.get_secret_value():
        raise SettingsError("VOXROLL_WEBHOOK_TOKEN_KEY is not set: the front door and the worker need the same one")
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=_DRAIN_S)
    await runner.setup()
    try:
        site = _site(runner, settings)
        await site.start()
        _log.info("webhook.started", address=site.name)
        await stop.wait()
    finally:
        await runner.cleanup()
    _log.info("webhook.stopped")


def _site(runner: web.AppRunner, settings: Settings) -> web.BaseSite:
    if settings.webhook.fd is not None:
        return web.SockSite(runner, socket.socket(fileno=settings.webhook.fd))
    return web.TCPSite(runner, settings.webhook.host, settings.webhook.port)


if __name__ == "__main__":
    sys.exit(process.run("webhook", serve))
