"""The line as processes over a fresh Valkey: door, workers, and a provider; what they cost, and how large they are."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import SecretStr
from redis import Redis as PlainRedis

from config.settings import Engine, Redis, Settings
from tests.bench.processes import cpu_s, end, resident_mb
from tests.support.line import credential
from tests.support.process import environment
from tests.support.serving import bound, url_of
from tests.support.valkey import ValkeyProcess
from worker.store import keys

_ROOT = Path(__file__).resolve().parents[3]
_KEY = SecretStr("k" * 48)
ACCOUNT = "bench"


@dataclass(slots=True)
class Running:
    """Processes by what they do."""

    url: str
    folder: Path
    redis: PlainRedis
    env: dict[str, str]
    pids: dict[str, int] = field(default_factory=dict)

    def plan(self, manifest: Path, into: Path) -> tuple[float, float]:
        """Plan a manifest without the voice: seconds of processor time for its rows, most resident memory in MB.

        Raises:
            RuntimeError: it failed, or somebody is not ready.
        """
        words = ("tests.bench.line.planner", "plan", str(manifest), "--into", str(into), "--threads", "1", "--json")
        told = into / "told.txt"
        with told.open("wb") as file:
            env = self.env | {"VOXROLL_URL": self.url}
            process = subprocess.Popen(
                [sys.executable, "-m", *words], env=env, stdout=subprocess.DEVNULL, stderr=file, cwd=_ROOT
            )
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        lines = told.read_text().splitlines()
        if process.returncode:
            raise RuntimeError(f"plan ended with {process.returncode}: {lines[-3:]}")
        return float(lines[-1]), used.ru_maxrss / 1024

    def cpu_s(self) -> dict[str, float]:
        """Processor time that each has spent."""
        return {name: cpu_s(pid) for name, pid in self.pids.items()}

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each."""
        return {name: round(resident_mb(pid), 1) for name, pid in self.pids.items()}

    def redis_bytes(self) -> int:
        """What Valkey holds, without what its allocator wastes."""
        told = cast("dict[str, int]", self.redis.info("memory"))  # redis-py: typed for both clients
        return told["used_memory_dataset"]

    def events(self) -> int:
        """How many were told."""
        return cast("int", self.redis.xlen(keys.events(ACCOUNT)))


@contextmanager
def running(*, workers: int, with_engine: bool = False) -> Iterator[Running]:
    """Everything up.

    Args:
        workers: processes of them.
        with_engine: the provider is the engine, which hears the one clip that it gets once.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vx-line-")))
        valkey = ValkeyProcess(folder / "valkey")
        stack.callback(valkey.close)
        valkey.start()
        settings = Settings(
            account=ACCOUNT,
            data_dir=folder,
            redis=Redis(url=SecretStr(valkey.url)),
            engine=Engine(client_secret=_KEY, token_key=_KEY, voice_key=_KEY),
        )
        door, provider = bound(), bound()
        env = environment(
            settings,
            VOXROLL_API_BASE_URL=url_of(provider),
            VOXROLL_API_CLIENT_SECRET=_KEY.get_secret_value(),
            VOXROLL_API_JWT=credential(settings).get_secret_value(),
            VOXROLL_API_CALLS="0",
            VOXROLL_WEBHOOK_URL=url_of(door),
            VOXROLL_WEBHOOK_TOKEN_KEY=_KEY.get_secret_value(),
            VOXROLL_WORKER_VOICE_KEY=_KEY.get_secret_value(),
            VOXROLL_WORKER_CONCURRENCY="100",
            VOXROLL_WORKER_SAME_VOICE="off",
            VOXROLL_LOG_LEVEL="warning",
        )
        made = Running(url_of(door), folder, stack.enter_context(PlainRedis.from_url(valkey.url)), env)
        made.pids["valkey"] = valkey.pid
        whole = ("--whole-clips",) if with_engine else ()
        if with_engine:
            env["VOXROLL_ENGINE_FD"] = str(provider.fileno())
            made.pids["engine"] = _start(stack, env, "engine", listening=provider)
        else:
            provide = ("tests.bench.line.provider", str(provider.fileno()))
            made.pids["provider"] = _start(stack, env, *provide, listening=provider)
        made.pids["door"] = _start(stack, env | {"VOXROLL_WEBHOOK_FD": str(door.fileno())}, "webhook", listening=door)
        for number in range(workers):
            made.pids[f"worker {number + 1}"] = _start(stack, env, "tests.bench.line.worker", *whole)
        yield made


def _start(stack: ExitStack, env: dict[str, str], *words: str, listening: socket.socket | None = None) -> int:
    descriptors = [listening.fileno()] if listening else []
    process = subprocess.Popen([sys.executable, "-m", *words], env=env, pass_fds=descriptors, cwd=_ROOT)
    stack.callback(end, process)
    return process.pid
