"""A TCP proxy in front of a unix socket that holds every piece 0.5 ms each way: a round trip of 1 ms and a bit.

Run as a process of its own, it prints the port it listens on. It waits by select(2), the one selector whose timeouts
are finer than a millisecond.
"""

import asyncio
import selectors
import sys
from collections.abc import Callable

_EACH_WAY_S = 0.0005


class _Side(asyncio.Protocol):
    """One end of a connection; what it reads is written to the other end a little later."""

    def __init__(self, connected: Callable[["_Side"], None] | None = None) -> None:
        self._connected = connected
        self._early: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._connected:
            self._connected(self)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            asyncio.get_running_loop().call_later(_EACH_WAY_S, self.other.write, data)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.other and self.other.transport:
            self.other.transport.close()

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        if not self.transport.is_closing():
            self.transport.write(data)

    def pair(self, other: "_Side") -> None:
        self.other, other.other = other, self
        for data in self._early:
            self.data_received(data)


async def _serve(socket: str) -> None:
    loop = asyncio.get_running_loop()
    pairing: set[asyncio.Task[None]] = set()

    async def pair(near: _Side) -> None:
        _, far = await loop.create_unix_connection(_Side, socket)
        near.pair(far)

    def connected(near: _Side) -> None:
        task = loop.create_task(pair(near))
        pairing.add(task)
        task.add_done_callback(pairing.discard)

    server = await loop.create_server(lambda: _Side(connected), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_serve(sys.argv[1]))
