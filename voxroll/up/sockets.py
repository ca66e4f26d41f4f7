"""Listening sockets that the supervisor holds, so that a port stays ours while the process behind it restarts.

Connections that come in meanwhile wait in the queue of the socket instead of being refused.
"""

import asyncio
import errno
import socket

from voxroll.failure import CommandError

_BACKLOG = 1024
_RETRY_S = 0.2


async def listen(host: str, port: int, *, name: str, patience_s: float = 0.0) -> socket.socket:
    """Bind and listen; port 0 takes any free one.

    Args:
        host: address to bind.
        port: port to bind.
        name: the setting's concern (`ENGINE`), for the message.
        patience_s: how long to wait for processes of a killed `up` that are about to let go of the port.

    Raises:
        CommandError: `port_in_use` or `cannot_listen`.
    """
    give_up = asyncio.get_running_loop().time() + patience_s
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                message = f"{host}:{port}: {error.strerror or error}; set VOXROLL_{name}_HOST or VOXROLL_{name}_PORT"
                raise CommandError("cannot_listen", message) from error
            if asyncio.get_running_loop().time() > give_up:
                message = f"{host}:{port} belongs to another process; set VOXROLL_{name}_PORT (0: any free port)"
                raise CommandError("port_in_use", message) from error
        await asyncio.sleep(_RETRY_S)


def address(listening: socket.socket) -> str:
    """The base URL under which this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (recognised, not bound to)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
