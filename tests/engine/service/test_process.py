"""The engine as a process: what it says when it can't start, and that a kill loses nothing."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from pydantic import SecretStr

from config.settings import Redis, Settings
from engine.service import keys
from tests.support.engine import Rc, Receiver, client_of, sample
from tests.support.process import environment, started, until_ready
from tests.support.speech import said, speakers, wav

Clip = Callable[..., bytes]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@asynccontextmanager
async def client_of_ready(url: str, process: asyncio.subprocess.Process, settings: Settings) -> AsyncIterator[Rc]:
    await until_ready(url, process)
    async with client_of(url, settings) as rc:
        yield rc


async def _runs(redis: ArqRedis, queue: str, job_id: str) -> None:
    """Return once some process works on the job."""
    mark = in_progress_key_prefix + keys.arq_id(queue, job_id)
    async with asyncio.timeout(30):
        while not await redis.exists(mark):
            pass


@pytest.mark.parametrize("moment", ["at once", "while it is heard", "when its callback was refused"])
async def test_killed_after_the_202_it_delivers_once_restarted(
    settings: Settings, redis: ArqRedis, clip: Clip, receiver: Receiver, moment: str
) -> None:
    port = free_port()
    url, env = f"http://127.0.0.1:{port}", environment(settings, VOXROLL_ENGINE_PORT=str(port))
    receiver.answers = [503] if moment == "when its callback was refused" else []
    async with started("engine", env) as process, client_of_ready(url, process, settings) as rc:
        accepted = await rc.enroll("a", clip(), key="k", webhook=receiver.url)
        assert accepted.status == 202
        if moment == "while it is heard":
            await _runs(redis, keys.samples(settings.account), accepted.body["jobId"])
        if moment == "when its callback was refused":
            await receiver.next()
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with started("engine", env) as process, client_of_ready(url, process, settings) as rc:
        _, body = await receiver.next(within_s=60)
        assert body["totalEnrollDuration"] == pytest.approx(8.0)
        assert (await rc.get("a")).body == body
        assert await rc.ended(accepted.body["jobId"]) == "Success"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_recording_goes_on_with_the_next_process(
    settings: Settings, redis: ArqRedis, receiver: Receiver, how: signal.Signals
) -> None:
    port = free_port()
    url, env = f"http://127.0.0.1:{port}", environment(settings, VOXROLL_ENGINE_PORT=str(port))
    minute = wav(np.tile(said(min(speakers()), seconds=12), 5))
    async with started("engine", env) as process, client_of_ready(url, process, settings) as rc:
        path = "/ai/audio/v1/async/speaker-diarize"
        accepted = await rc.call("POST", path, json=sample(minute), params={"webhook": receiver.url})
        await _runs(redis, keys.recordings(settings.account), accepted.body["jobId"])
        process.send_signal(how)
        assert await asyncio.wait_for(process.wait(), 15) == (0 if how is signal.SIGTERM else -how)
    async with started("engine", env) as process:
        _, told = await receiver.next(within_s=60)
        assert (told["jobId"], told["status"]) == (accepted.body["jobId"], "Success")
    assert receiver.received.empty()


async def test_without_redis_it_says_where_it_looked(settings: Settings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"redis": Redis(url=SecretStr(f"unix://{tmp_path}/none.sock"))})
    code, said = await _refused(environment(nowhere, VOXROLL_ENGINE_PORT="0"))
    assert code == 69
    assert b"redis_unreachable" in said
    assert b"none.sock" in said
    assert b"Traceback" not in said


async def test_without_secrets_it_names_the_variable(settings: Settings) -> None:
    code, said = await _refused(environment(settings, VOXROLL_ENGINE_TOKEN_KEY=""))
    assert code == 78
    assert b"VOXROLL_ENGINE_TOKEN_KEY: not set" in said


async def test_on_a_taken_port_it_says_so(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = await _refused(environment(settings, VOXROLL_ENGINE_PORT=str(port)))
    assert code == 69
    assert f"can't listen on 127.0.0.1:{port}".encode() in said


async def test_an_unknown_model_ends_it_with_the_way_out(settings: Settings) -> None:
    code, said = await _refused(environment(settings, VOXROLL_ENGINE_MODEL="nonesuch", VOXROLL_ENGINE_PORT="0"))
    assert code == 69
    assert b"model_unknown" in said


async def _refused(env: dict[str, str]) -> tuple[int | None, bytes]:
    async with started("engine", env) as process:
        _, said = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, said
