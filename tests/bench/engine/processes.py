"""The engine as processes for a measurement, over a fresh Valkey, and what they cost."""

import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from config.settings import Engine, Redis, Settings
from tests.bench.processes import cpu_s, end, resident_mb
from tests.support.process import environment
from tests.support.serving import bound, url_of
from tests.support.valkey import running_valkey
from tests.support.waiting import until

_KEY = SecretStr("k" * 48)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the work is shared: one process for all, or one that takes requests and some that work."""

    name: str
    workers: int = 0


ALONE = Layout("one process for all")
ONE, TWO = Layout("requests apart, 1 works", 1), Layout("requests apart, 2 work", 2)


@dataclass(slots=True)
class Running:
    """Processes by what they do."""

    url: str
    settings: Settings
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def cpu_s(self) -> float:
        """Processor time that all of them and their decoders have spent."""
        return sum(map(cpu_s, self._family()))

    def _family(self) -> Iterator[int]:
        for process in self.processes.values():
            yield process.pid
            for path in Path(f"/proc/{process.pid}/task").glob("*/children"):
                yield from map(int, path.read_text().split())

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each."""
        return {name: round(resident_mb(process.pid), 1) for name, process in self.processes.items()}


@asynccontextmanager
async def running(layout: Layout) -> AsyncIterator[Running]:
    """The engine, ready, with all that work loaded."""
    async with _over_valkey() as (settings, stack):
        listening = bound()
        made = Running(url_of(listening), settings)
        api = {"VOXROLL_ENGINE_ROLE": "api" if layout.workers else "all"}
        made.processes["requests" if layout.workers else "all"] = _start(stack, settings, "engine", listening, **api)
        for number in range(layout.workers):
            made.processes[f"work {number + 1}"] = _start(stack, settings, "engine", VOXROLL_ENGINE_ROLE="work")
        crew = max(1, layout.workers)
        await _ready(made.url, said=f"{crew} processes work")
        yield made


@asynccontextmanager
async def running_direct() -> AsyncIterator[Running]:
    """The process without a queue."""
    async with _over_valkey() as (settings, stack):
        listening = bound()
        made = Running(url_of(listening), settings)
        made.processes["direct"] = _start(stack, settings, "tests.bench.engine.direct", listening)
        await _ready(made.url, said="")
        yield made


@asynccontextmanager
async def _over_valkey() -> AsyncIterator[tuple[Settings, AsyncExitStack]]:
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vx-bench-")))
        url = stack.enter_context(running_valkey(place / "valkey"))
        yield (
            Settings(
                account="bench",
                data_dir=place,
                redis=Redis(url=SecretStr(url)),
                engine=Engine(client_secret=_KEY, token_key=_KEY, voice_key=_KEY),
            ),
            stack,
        )


def _start(
    stack: AsyncExitStack, settings: Settings, module: str, listening: socket.socket | None = None, **more: str
) -> subprocess.Popen[bytes]:
    descriptors = []
    if listening is not None:
        stack.callback(listening.close)
        descriptors = [listening.fileno()]
        more["VOXROLL_ENGINE_FD"] = str(descriptors[0])
    env = environment(settings, VOXROLL_LOG_LEVEL="warning", **more)
    process = subprocess.Popen([sys.executable, "-m", module], env=env, pass_fds=descriptors)
    stack.callback(end, process)
    return process


async def _ready(url: str, *, said: str) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:

        async def is_ready() -> bool:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # it listens before it is there
                async with http.get(url + "/readyz") as answer:
                    return answer.status == 200 and said in await answer.text()
            return False

        await until(is_ready, within_s=120)
