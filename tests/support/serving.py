"""Real servers on a free loopback port, for as long as a block lasts."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


def bound() -> socket.socket:
    """A listening socket on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket) -> str:
    """Where it listens."""
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@asynccontextmanager
async def serving(app: web.Application, *, on: socket.socket | None = None) -> AsyncIterator[str]:
    """The URL of the application."""
    listening = on or bound()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield url_of(listening)
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
