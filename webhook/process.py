"""The front door as a process: `python -m webhook`; `--keys` makes, lists and revokes API keys and ends."""

import asyncio
import gc
import socket
import sys
from typing import NoReturn

import structlog

from config import process
from config.settings import Settings, SettingsError, Webhook
from webhook.apikeys import keys
from webhook.app import create_app
from webhook.direct import door

_log = structlog.get_logger()
_COLLECT_AFTER = 50_000  # new objects; the usual 700 stop a busy door for milliseconds, again and again


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`, then let open requests end."""
    if not settings.webhook.token_key.get_secret_value():
        raise SettingsError("VOXROLL_WEBHOOK_TOKEN_KEY is not set: the front door and the worker need the same one")
    listening = _listening(settings.webhook)
    async with door(create_app(settings), listening):
        _spare_collections()
        _log.info("webhook.started", address=listening.getsockname())
        await stop.wait()
    _log.info("webhook.stopped")


def _listening(webhook: Webhook) -> socket.socket:
    if webhook.fd is not None:
        return socket.socket(fileno=webhook.fd)
    family = socket.AF_INET6 if ":" in webhook.host else socket.AF_INET
    return socket.create_server((webhook.host, webhook.port), family=family)


def _spare_collections() -> None:
    """What is there now stays for good: the collector need not look at it ever again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])


async def _keys(settings: Settings, _stop: asyncio.Event) -> int:
    return await keys(settings)


def main() -> NoReturn:
    """Run the process to its end."""
    sys.exit(process.run("webhook", _keys if "--keys" in sys.argv[1:] else serve))
