"""A front door per test, the records that it shows, and a workshop that feeds."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.batches import World
from tests.support.door import front_door
from tests.support.workshop import workshop
from worker.enrollment.steps import Policy
from worker.store.status import StatusStore


@pytest.fixture
async def door(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with front_door(settings) as http:
        yield http


@pytest.fixture
def store(redis: ArqRedis, settings: Settings) -> StatusStore:
    return StatusStore(redis, account=settings.account, policy=Policy(), events_kept=1000)


@pytest.fixture
async def world(settings: Settings, redis: ArqRedis) -> AsyncIterator[World]:
    async with workshop(settings) as shop:
        yield World.of(shop, redis)
