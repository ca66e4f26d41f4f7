"""The door's connections: ordinary callbacks are taken here, everything else goes to the application.

A callback costs half of what it costs by way of requests, tasks and responses. Each connection begins here; with the
first thing that is not an ordinary, acceptable callback it is aiohttp's, for good, and what is refused is told there.
At most one callback of a connection is under way; what comes meanwhile waits its turn.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import socket
from typing import cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from webhook import answers
from webhook.plain import read
from webhook.receiver import Receiver
from webhook.room import ROOM
from worker.enrollment.errors import RequestError

_BACKLOG = 1_024
_DRAIN_S = 10.0
_IDLE_S = 900.0
_MOST_LATER = 262_144  # bytes that wait their turn before the sender is held back


@asynccontextmanager
async def door(app: web.Application, listening: socket, *, drain_s: float = _DRAIN_S) -> AsyncIterator[None]:
    """Serve the application on a socket; at the end, what is under way has so long to be answered."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=drain_s)
    await runner.setup()
    try:
        connections = Connections(runner)
        server = await asyncio.get_running_loop().create_server(connections, sock=listening, backlog=_BACKLOG)
        yield
        server.close()
        await connections.close()
    finally:
        await runner.cleanup()


class Connections:
    """Makes and knows the connections of one door."""

    def __init__(self, runner: web.AppRunner) -> None:
        if runner.server is None:
            raise RuntimeError("the runner is not set up")
        self._server = runner.server
        self.receiver: Receiver = runner.app[ROOM].receiver
        self.open = set[Connection]()

    def __call__(self) -> "Connection":
        """The protocol of a new connection."""
        return Connection(self, self._server())

    async def close(self) -> None:
        """Let what is under way be answered, and take nothing more."""
        for connection in self.open:
            connection.end()
        await self.receiver.close()


class Connection(asyncio.Protocol):
    """One connection.

    Args:
        all_of_them: where it is known while it is open.
        aiohttp: who takes over.
    """

    def __init__(self, all_of_them: Connections, aiohttp: RequestHandler) -> None:
        self._all = all_of_them
        self._receiver = all_of_them.receiver
        self._aiohttp = aiohttp
        self._transport: asyncio.Transport | None = None
        self._is_ours = True
        self._is_ending = False
        self._is_used = True
        self._under_way = False
        self._later = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._all.open.add(self)
        self._aiohttp.connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._transport = None
        self._all.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._aiohttp.connection_lost(exc)

    def eof_received(self) -> None:
        """The sender sends no more."""
        self._aiohttp.eof_received()

    def pause_writing(self) -> None:
        """The sender does not read."""
        self._aiohttp.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._aiohttp.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take a callback, or let aiohttp go on."""
        self._is_used = True
        if self._under_way:
            self._keep(data)
        elif not (self._is_ours and self._is_taken(data)):
            self._is_ours = False
            self._aiohttp.data_received(data)

    def end(self) -> None:
        """Close once nothing is under way."""
        self._is_ending = True
        if self._is_ours and not self._under_way and self._transport is not None:
            self._transport.close()

    def _is_taken(self, data: bytes) -> bool:
        plain = read(data)
        if plain is None:
            return False
        try:
            arrived = self._receiver.admit(*plain)
        except RequestError:
            return False
        self._under_way = True
        self._receiver.take(arrived, self._answer)
        return True

    def _answer(self, failure: Exception | None) -> None:
        """The callback is written down, or could not be."""
        self._under_way = False
        answer = answers.unavailable(self._receiver.problem_of(failure)) if failure else answers.accepted()
        if self._transport is None:
            return
        self._transport.write(answer)
        if self._is_ending:
            self._transport.close()
        elif self._later:
            data, self._later = self._later, b""
            self._transport.resume_reading()
            self.data_received(data)

    def _keep(self, data: bytes) -> None:
        self._later += data
        if len(self._later) > _MOST_LATER and self._transport is not None:
            self._transport.pause_reading()

    def _look(self) -> None:
        """Close a connection that was not used for long; aiohttp looks after its own."""
        if self._transport is None or not self._is_ours:
            return
        if not self._is_used and not self._under_way:
            self._transport.close()
            return
        self._is_used = False
        self._timer = asyncio.get_running_loop().call_later(_IDLE_S, self._look)
