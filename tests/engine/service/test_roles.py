"""Processes that only take requests and processes that only work: together one engine, whoever of them dies."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Redis, Settings
from engine.service import keys
from tests.support.engine import Rc, Receiver, running_engine, sample
from tests.support.points import Points
from tests.support.process import environment, started
from tests.support.valkey import ValkeyProcess
from tests.support.waiting import until

Clip = Callable[..., bytes]


def role(settings: Settings, name: str, **more: Any) -> Settings:
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"role": name, **more})})


@asynccontextmanager
async def ready(rc: Rc) -> AsyncIterator[None]:
    """The block begins once somebody works."""

    async def is_ready() -> bool:
        return (await rc.call("GET", "/readyz")).status == 200

    await until(is_ready)
    yield


async def nobody_waits(redis: ArqRedis, settings: Settings) -> bool:
    return not await redis.zcard(keys.awaited(settings.account))


async def test_one_takes_requests_and_another_works(settings: Settings, clip: Clip, receiver: Receiver) -> None:
    env = environment(settings, VOXROLL_ENGINE_ROLE="work")
    async with running_engine(role(settings, "api"), hears=False) as rc, started("engine", env) as worker, ready(rc):
        first = await rc.enroll("a", clip(0, 0))
        assert (first.status, first.body["totalEnrollDuration"]) == (201, 8.0)
        assert (await rc.enroll("b", clip(0, 0, seconds=3))).code == "too_short"
        assert (await rc.enroll("a", clip(0, 1))).status == 409
        assert (await rc.add("a", clip(0, 1), webhook=receiver.url)).status == 202
        _, body = await receiver.next()
        assert body["totalEnrollDuration"] == 16.0
        body = {"enrollmentIds": ["a"], **sample(clip(0, 2))}
        known = await rc.call("POST", "/ai/audio/v1/speaker-identify", json=body)
        assert {one["speakerId"] for one in known.body["utterances"]} == {"a"}
        async with started("engine", environment(settings), "--check") as check:
            assert await asyncio.wait_for(check.wait(), 30) == 0
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 20) == 0
        gone = await rc.enroll("c", clip(1, 0))
        assert (gone.status, gone.code) == (503, "not_ready")
        assert (await rc.call("GET", "/readyz")).status == 503
        async with started("engine", environment(settings), "--check") as check:
            assert await asyncio.wait_for(check.wait(), 30) == 1


async def test_a_killed_workers_request_is_answered_by_another(settings: Settings, clip: Clip) -> None:
    quick = {"VOXROLL_ENGINE_LEASE": "1s", "VOXROLL_ENGINE_ROLE": "work"}
    points = Points(settings.data_dir / "points")
    points.arm("desk.applied", "kill")  # applied, and not yet told
    async with running_engine(role(settings, "api"), hears=False) as rc:
        async with (
            started("engine", environment(settings, VOXROLL_POINTS=str(points.folder), **quick)) as first,
            ready(rc),
        ):
            asked = asyncio.create_task(rc.enroll("a", clip(0, 0)))
            assert await asyncio.wait_for(first.wait(), 30) == -signal.SIGKILL
        async with started("engine", environment(settings, **quick)):
            answer = await asked
        assert (answer.status, answer.body["totalEnrollDuration"]) == (201, 8.0)


async def test_after_the_longest_wait_it_says_so_and_a_repeat_finds_it_done(
    settings: Settings, redis: ArqRedis, clip: Clip
) -> None:
    impatient = role(settings, "api", wait=timedelta(seconds=0.3))
    points = Points(settings.data_dir / "points")
    points.arm("desk.applied", "hold")
    env = environment(settings, VOXROLL_ENGINE_ROLE="work", VOXROLL_POINTS=str(points.folder))
    async with running_engine(impatient, hears=False) as rc, started("engine", env), ready(rc):
        late = await rc.enroll("a", clip(0, 0), key="k")
        assert (late.status, late.code) == (503, "still_working")
        assert "Retry-After" in late.headers
        await points.held("desk.applied")
        again = await rc.enroll("a", clip(0, 0), key="k")
        assert (again.status, again.body["totalEnrollDuration"]) == (201, 8.0)
        points.release("desk.applied")
        await until(lambda: nobody_waits(redis, settings))
        assert not list((settings.data_dir / "engine" / "jobs").iterdir())


async def test_what_a_client_left_behind_is_done(settings: Settings, clip: Clip) -> None:
    async with running_engine(settings) as rc:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await rc.call(
                "POST",
                "/ai/audio/v1/enrollments",
                json={"speakerId": "a", **sample(clip(0, 0))},
                timeout=aiohttp.ClientTimeout(total=0.05),
            )

        async def is_there() -> bool:
            return (await rc.get("a")).status == 200

        await until(is_there)


async def test_too_many_are_refused_rather_than_piled_up(settings: Settings, redis: ArqRedis, clip: Clip) -> None:
    async with running_engine(settings) as rc:
        due = {f"far-{number}": 4e12 for number in range(24)}  # as many as one thread may have waiting, due in 2096
        await redis.zadd(keys.awaited(settings.account), due)
        answer = await rc.enroll("a", clip(0, 0))
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "not_ready", "2")
        assert "24 samples are waiting already, 24 at most" in answer.error["message"]
        assert not (settings.data_dir / "engine").exists()
        await redis.zrem(keys.awaited(settings.account), "far-0")
        assert (await rc.enroll("a", clip(0, 0))).status == 201


async def test_a_request_outlives_a_restart_of_redis(settings: Settings, tmp_path: Path, clip: Clip) -> None:
    server = ValkeyProcess(tmp_path / "own", fsync="always")
    server.start()
    own = settings.model_copy(update={"redis": Redis(url=SecretStr(server.url), timeout=timedelta(seconds=1))})
    points = Points(settings.data_dir / "points")
    points.arm("desk.applied", "hold")
    env = environment(own, VOXROLL_ENGINE_ROLE="work", VOXROLL_POINTS=str(points.folder), VOXROLL_ENGINE_LEASE="1s")
    try:
        async with running_engine(role(own, "api"), hears=False) as rc, started("engine", env), ready(rc):
            asked = asyncio.create_task(rc.enroll("a", clip(0, 0)))
            await points.held("desk.applied")
            server.kill()
            points.release("desk.applied")
            server.start()
            answer = await asked
            assert (answer.status, answer.body["totalEnrollDuration"]) == (201, 8.0)
    finally:
        server.close()


@pytest.mark.parametrize("taken", ["api", "work"])
async def test_without_the_voice_key_no_role_starts(settings: Settings, taken: str) -> None:
    env = environment(settings, VOXROLL_ENGINE_ROLE=taken, VOXROLL_ENGINE_VOICE_KEY="", VOXROLL_ENGINE_PORT="0")
    async with started("engine", env) as process:
        _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 78
    assert b"VOXROLL_ENGINE_VOICE_KEY: not set" in said


async def test_a_client_who_waits_passes_a_backlog_by(settings: Settings, redis: ArqRedis, clip: Clip) -> None:
    env = environment(settings, VOXROLL_ENGINE_ROLE="work")
    async with running_engine(role(settings, "api"), hears=False) as rc:
        for number in range(8):
            accepted = await rc.enroll(f"s{number}", clip(number % 4, number), webhook="http://127.0.0.1:1/")
            assert accepted.status == 202
        async with started("engine", env), ready(rc):
            assert (await rc.enroll("a", clip(0, 0))).status == 201
            assert await redis.zcard(keys.samples(settings.account)) >= 1  # the backlog is not done yet
