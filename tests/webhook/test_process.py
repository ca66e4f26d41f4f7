"""The front door as a process: killed or stopped at any moment, it has answered nothing that is not written down."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import BODY, token
from tests.support.points import Points
from tests.support.process import environment, started
from tests.support.serving import bound, url_of
from worker.queue.jobs import queue_name
from worker.store import keys

_PATIENCE_S = 30


@asynccontextmanager
async def running(
    settings: Settings, **more: str
) -> AsyncIterator[tuple[aiohttp.ClientSession, asyncio.subprocess.Process]]:
    """The process, once it answers."""
    with bound() as free:
        url = url_of(free)
    port, key = url.rpartition(":")[2], settings.webhook.token_key.get_secret_value()
    env = environment(settings, VOXROLL_WEBHOOK_PORT=port, VOXROLL_WEBHOOK_TOKEN_KEY=key, **more)
    async with started("webhook", env) as process, aiohttp.ClientSession(url) as door:
        async with asyncio.timeout(_PATIENCE_S):
            while not await is_up(door):
                pass
        yield door, process


async def is_up(door: aiohttp.ClientSession) -> bool:
    try:
        async with door.get("/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        await asyncio.sleep(0.02)
        return False


async def accepted(door: aiohttp.ClientSession, settings: Settings) -> bool:
    """Whether a callback was answered with 200."""
    try:
        async with door.post(f"/v1/callbacks/{token(settings)}", data=BODY) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def written(redis: ArqRedis, settings: Settings) -> tuple[int, int]:
    """How many callbacks and how many jobs there are."""
    account = settings.account
    return await redis.xlen(keys.callbacks(account)), await redis.zcard(queue_name(account))


@pytest.mark.parametrize(("point", "kept"), [("callback.verified", 0), ("callback.written", 1)])
async def test_killed_around_the_write_it_has_answered_nothing(
    settings: Settings, redis: ArqRedis, tmp_path: Path, *, point: str, kept: int
) -> None:
    points = Points(tmp_path / "points")
    async with running(settings, VOXROLL_POINTS=str(points.folder)) as (door, process):
        points.arm(point, "kill")
        assert not await accepted(door, settings)
        assert await process.wait() == -signal.SIGKILL
    assert await written(redis, settings) == (kept, kept)
    async with running(settings) as (door, _):
        assert await accepted(door, settings)  # the sender tries again: two entries of one callback do no harm
    assert await written(redis, settings) == (kept + 1, kept + 1)


async def test_stopped_under_load_it_ends_in_order_and_loses_nothing(settings: Settings, redis: ArqRedis) -> None:
    async with running(settings) as (door, process):
        tally = [0] * 20

        async def keep_sending(number: int) -> None:
            while await accepted(door, settings):
                tally[number] += 1

        senders = [asyncio.create_task(keep_sending(number)) for number in range(len(tally))]
        while sum(tally) < 200:
            await redis.xread({keys.callbacks(settings.account): "$"}, block=100)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*senders)
        assert await process.wait() == 0
    callbacks, jobs = await written(redis, settings)
    assert sum(tally) <= callbacks <= sum(tally) + len(tally)
    assert jobs == callbacks
