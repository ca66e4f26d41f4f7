"""A queue to itself for every test."""

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from worker.queue.jobs import Queue


@pytest.fixture
async def queue(redis: ArqRedis, settings: Settings) -> Queue:
    await redis.flushdb()  # the lists that jobs write to have the same names in all tests
    return Queue(redis, account=settings.account)
