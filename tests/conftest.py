"""What every test may ask for: a real Valkey of its own process, settings that point at it, and one check for all."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis as redis_sync
from arq.connections import ArqRedis
from pydantic import SecretStr

import engine  # noqa: F401  (before numpy, whose second thread would spin beside each small product)
from config.settings import Api, Engine, Redis, Settings, Webhook, Worker
from tests.support.keys import unexplained
from tests.support.valkey import ValkeyProcess
from worker.queue.connect import client, close
from worker.queue.jobs import queue_name

for name in [name for name in os.environ if name.startswith("VOXROLL_") and name != "VOXROLL_CACHE_DIR"]:
    del os.environ[name]

KEY = SecretStr("k" * 48)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    """One server per test process."""
    server = ValkeyProcess(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.close()


@pytest.fixture
def settings(valkey: ValkeyProcess, tmp_path: Path) -> Settings:
    """Settings of an account that nobody else uses."""
    return Settings(
        account=f"t{uuid.uuid4().hex[:12]}",
        data_dir=tmp_path,
        redis=Redis(url=SecretStr(valkey.url)),
        api=Api(client_secret=KEY, timeout=timedelta(seconds=10)),
        webhook=Webhook(token_key=KEY),
        engine=Engine(client_secret=KEY, token_key=KEY, voice_key=KEY),
        worker=Worker(voice_key=KEY),
    )


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    """A client as the processes have it."""
    pool = client(settings.redis, queue_name=queue_name(settings.account))
    yield pool
    await close(pool)


@pytest.fixture(autouse=True)
def _every_key_ends_or_says_why(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test that used Redis: every key it left has a TTL or a written reason."""
    yield
    if "settings" in request.fixturenames:
        server: ValkeyProcess = request.getfixturevalue("valkey")
        with redis_sync.Redis.from_url(server.url) as plain:
            assert unexplained(plain) == []
