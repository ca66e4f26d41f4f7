"""An engine computes on as many threads as it was told and on no more: neither numpy nor onnxruntime brings its own."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from tests.support.engine import client_of
from tests.support.process import environment, started, until_ready

Clip = Callable[..., bytes]

_SAMPLES = 4
_MUCH = 0.1  # of what all threads compute


def ticks(pid: int) -> dict[str, int]:
    """CPU time of each thread of a process, in ticks of the kernel."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[task.name] = int(fields[11]) + int(fields[12])
    return found


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
@pytest.mark.parametrize("threads", [1, 2])
async def test_an_engine_computes_on_as_many_threads_as_it_is_told(
    settings: Settings, clip: Clip, threads: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
    env = environment(settings, VOXROLL_ENGINE_PORT=str(port), VOXROLL_ENGINE_THREADS=str(threads))
    env.pop("OPENBLAS_NUM_THREADS", None)
    clips = [clip(number % 2, number, seconds=8) for number in range(_SAMPLES)]
    async with started("engine", env) as process:
        url = f"http://127.0.0.1:{port}"
        await until_ready(url, process)
        async with client_of(url, settings) as rc:
            before = ticks(process.pid)
            answers = await asyncio.gather(*(rc.enroll(f"s{n}", audio) for n, audio in enumerate(clips)))
            after = ticks(process.pid)
    assert [answer.status for answer in answers] == [201] * _SAMPLES
    spent = {task: count - before.get(task, 0) for task, count in after.items()}
    answering = spent.pop(str(process.pid))  # the event loop: requests in, answers out
    busy = [task for task, count in spent.items() if count > _MUCH * sum(spent.values())]
    assert len(busy) == threads, spent
    assert answering < 0.5 * sum(spent.values())
    assert sum(spent.values()) > os.sysconf("SC_CLK_TCK") * 0.2, "too little was computed to tell"
