"""Real processes for fault tests: engine, webhook and worker, killed and started again at will.

The listening sockets belong to the test, so a restarted process answers at the same address, as under `voxroll up`.
"""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

from config.settings import Settings
from tests.support.line import credential
from tests.support.points import Points
from tests.support.serving import bound, url_of
from tests.support.waiting import until

Room = Literal["engine", "webhook", "worker"]
ROOMS: tuple[Room, ...] = ("engine", "webhook", "worker")
_ROOT = Path(__file__).resolve().parents[2]
_END_S = 20


class Rooms:
    """The processes of one account: one of each room, or more workers under names of their own.

    Args:
        settings: account, Redis, secrets and data directory.
        extra: further VOXROLL_ variables, without the prefix.
    """

    def __init__(self, settings: Settings, **extra: str) -> None:
        self._sockets = {"engine": bound(), "webhook": bound()}
        self.engine_url, self.url = (url_of(self._sockets[room]) for room in ("engine", "webhook"))
        self._folder = settings.data_dir
        self.points = Points(settings.data_dir / "points")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        key = settings.engine.token_key.get_secret_value()
        values = {
            "ACCOUNT": settings.account,
            "DATA_DIR": str(settings.data_dir),
            "CACHE_DIR": str(settings.cache_dir),
            "REDIS_URL": settings.redis.url.get_secret_value(),
            "API_BASE_URL": self.engine_url,
            "API_CLIENT_SECRET": settings.engine.client_secret.get_secret_value(),
            "API_JWT": credential(settings).get_secret_value(),
            "ENGINE_CLIENT_SECRET": settings.engine.client_secret.get_secret_value(),
            "ENGINE_TOKEN_KEY": key,
            "ENGINE_VOICE_KEY": key,
            "WORKER_VOICE_KEY": key,
            "WEBHOOK_URL": self.url,
            "WEBHOOK_TOKEN_KEY": settings.webhook.token_key.get_secret_value(),
            "LOG_FORMAT": "json",
            "POINTS": str(self.points.folder),
        } | extra
        self._env = os.environ | {f"VOXROLL_{name}": value for name, value in values.items()}

    def start(self, room: Room, name: str | None = None, **variables: str) -> None:
        """Start a room, under a name where there are several, with further variables of its own.

        One of that name that was killed is forgotten; one that runs must be stopped first.
        """
        if (name or room) in self._processes:
            self.wait(name or room)
        env, pass_fds = self._env | variables, list[int]()
        if room in self._sockets:
            number = self._sockets[room].fileno()
            env[f"VOXROLL_{room.upper()}_FD"], pass_fds = str(number), [number]
        with self.log_file(name or room).open("ab") as log:
            self._processes[name or room] = subprocess.Popen(
                [sys.executable, "-m", room, "--attached"],  # it ends with the test, however that ends
                cwd=_ROOT,
                env=env,
                pass_fds=pass_fds,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def run(self, room: Room, *arguments: str, within_s: float) -> subprocess.CompletedProcess[str]:
        """Run a room's command to its end."""
        command = [sys.executable, "-m", room, *arguments]
        return subprocess.run(
            command, cwd=_ROOT, env=self._env, capture_output=True, text=True, timeout=within_s, check=False
        )

    def log_file(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def log(self, name: str) -> str:
        return self.log_file(name).read_text()

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def signal(self, name: str, number: int) -> None:
        self._processes[name].send_signal(number)

    def limit_files(self, name: str, size: int) -> None:
        """Let no file of the process grow past so many bytes: what a full disk is like, and can be lifted again."""
        os.truncate(self.log_file(name), 0)
        _, hard = resource.prlimit(self.pid(name), resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid(name), resource.RLIMIT_FSIZE, (size, hard))

    async def logged(self, name: str, words: str, *, times: int = 1) -> None:
        """Return once the log has the words so often."""
        await until(lambda: self.log(name).count(words) >= times)

    def running(self) -> list[str]:
        """The names of those that live."""
        return [name for name, process in self._processes.items() if process.poll() is None]

    def kill(self, name: str) -> None:
        """As a crash would: at once."""
        self._processes[name].kill()
        self.wait(name)

    def stop(self, name: str) -> int:
        """As a deploy would; the exit code."""
        self.signal(name, signal.SIGTERM)
        return self.wait(name)

    def wait(self, name: str) -> int:
        """Its exit code, once it has ended by itself."""
        process = self._processes.pop(name)
        code = process.wait(_END_S)
        if process.stdin:
            process.stdin.close()
        return code

    async def ended(self, name: str) -> int:
        """The same, without holding up what else the test does."""
        await until(lambda: self._processes[name].poll() is not None)
        return self.wait(name)

    def close(self) -> None:
        self.points.clear()
        for name in list(self._processes):
            self.kill(name)
        for listening in self._sockets.values():
            listening.close()
