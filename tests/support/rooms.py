"""Real processes for fault tests: engine, webhook and worker, killed and started again at will.

The listening sockets belong to the test, so a restarted process answers at the same address, as under `voxroll up`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

from config.settings import Settings
from tests.support.line import credential
from tests.support.serving import bound, url_of

Room = Literal["engine", "webhook", "worker"]
_ROOT = Path(__file__).resolve().parents[2]
_END_S = 20


class Rooms:
    """The three processes of one account.

    Args:
        settings: account, Redis, secrets and data directory.
        extra: further VOXROLL_ variables, without the prefix.
    """

    def __init__(self, settings: Settings, **extra: str) -> None:
        self._sockets = {"engine": bound(), "webhook": bound()}
        self.engine_url, self.url = (url_of(self._sockets[room]) for room in ("engine", "webhook"))
        self._folder = settings.data_dir
        self._processes: dict[Room, subprocess.Popen[bytes]] = {}
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
            "WEBHOOK_URL": self.url,
            "WEBHOOK_TOKEN_KEY": settings.webhook.token_key.get_secret_value(),
            "LOG_FORMAT": "json",
        } | extra
        self._env = os.environ | {f"VOXROLL_{name}": value for name, value in values.items()}

    def start(self, room: Room) -> None:
        env, pass_fds = dict(self._env), list[int]()
        if room in self._sockets:
            number = self._sockets[room].fileno()
            env[f"VOXROLL_{room.upper()}_FD"], pass_fds = str(number), [number]
        with (self._folder / f"{room}.log").open("ab") as log:
            self._processes[room] = subprocess.Popen(
                [sys.executable, "-m", room], cwd=_ROOT, env=env, pass_fds=pass_fds, stdout=log, stderr=log
            )

    def log(self, room: Room) -> str:
        return (self._folder / f"{room}.log").read_text()

    def kill(self, room: Room) -> None:
        """As a crash would: at once."""
        self._processes[room].kill()
        self._processes.pop(room).wait()

    def stop(self, room: Room) -> int:
        """As a deploy would; the exit code."""
        process = self._processes.pop(room)
        process.send_signal(signal.SIGTERM)
        return process.wait(_END_S)

    def wait(self, room: Room) -> int:
        """Its exit code, once it has ended by itself."""
        return self._processes.pop(room).wait(_END_S)

    def close(self) -> None:
        for room in list(self._processes):
            self.kill(room)
        for listening in self._sockets.values():
            listening.close()
