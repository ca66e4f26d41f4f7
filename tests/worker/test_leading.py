"""What one process leads: one that is broken is left alone for a while, told, and delays none of the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.batches import World
from tests.support.waiting import until
from tests.support.workshop import workshop
from worker.enrollment.errors import UnreadableError
from worker.feed import Feeder
from worker.leading import Leading
from worker.store import keys
from worker.store.batches import State


@pytest.fixture
async def world(settings: Settings, redis: ArqRedis) -> AsyncIterator[World]:
    async with workshop(settings) as shop:
        yield World.of(shop, redis)


@asynccontextmanager
async def leading(world: World) -> AsyncIterator[None]:
    stop, batches = asyncio.Event(), world.shop.batches
    task = asyncio.create_task(
        Leading(batches, names=batches.open, begin=lambda name: Feeder(world.ways, name)).run(stop)
    )
    try:
        yield
    finally:
        stop.set()
        await task


@pytest.mark.parametrize(("field", "value"), [("plan", "{"), ("plan", "{}"), ("state", "sleeping"), ("read", "")])
async def test_a_batch_that_can_not_be_read_is_told_and_the_others_go_on(
    world: World, redis: ArqRedis, *, field: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.begin(world.rows(2, speakers=2), "bat_1")
    await world.begin(world.rows(3, speakers=3), "bat_2")
    await redis.hset(keys.batch(world.shop.settings.account, "bat_1"), field, value)  # type: ignore[misc]  # typed for both clients

    async def is_over() -> bool:
        await world.settle("bat_2")
        return await world.is_in(State.COMPLETED_WITH_ERRORS, batch_id="bat_2")

    async with leading(world):
        await until(is_over)
    assert capsys.readouterr().out.count("lead.failed") == 1  # not once a second
    with pytest.raises(UnreadableError, match="batch_unreadable"):
        await world.shop.batches.get("bat_1")
    assert list(await world.shop.batches.unreadable()) == ["bat_1"]
    assert [isinstance(one, UnreadableError) for one in await world.shop.batches.page(limit=9, offset=0)].count(True)


async def test_a_list_that_can_not_be_read_ends_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await world.begin(world.rows(1, speakers=1))
    asked: list[int] = []

    async def names() -> list[str]:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("damaged")
        return await world.shop.batches.open()

    stop = asyncio.Event()
    leads = Leading(world.shop.batches, names=names, begin=lambda name: Feeder(world.ways, name)).run(stop)
    task = asyncio.create_task(leads)
    await until(lambda: world.has_fed(1))
    stop.set()
    await task
    assert "lead.lost" in capsys.readouterr().out
