"""The connection to Redis: every wait is bounded, and no Redis exception leaves this adapter.

One round trip that loses its connection is sent again at once (a server that was restarted); all writes of the engine
bear being sent twice, because a script compares before it writes.
"""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from config.process import UnavailableError
from config.settings import Redis as RedisSettings
from engine.service.failure import StoreAwayError

_PATIENCE_S = 5.0  # a server that starts, or loads its append-only file, answers within this
_CONNECT_S = 2.0
_CONNECTIONS = 50


def pool(settings: RedisSettings) -> BlockingConnectionPool:
    """A pool whose every wait is bounded. It connects on first use."""
    timeout_s = settings.timeout.total_seconds()
    made: BlockingConnectionPool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=_CONNECTIONS,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, _CONNECT_S),
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
        retry_on_error=[RedisConnectionError],
    )
    return made


async def wait_until_there(redis: Redis, settings: RedisSettings) -> None:
    """Return once Redis answers.

    Raises:
        UnavailableError: it didn't within a few seconds.
    """
    give_up = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            if asyncio.get_running_loop().time() > give_up:
                raise UnavailableError(_unreachable(settings, error)) from error
            await asyncio.sleep(0.1)
        else:
            return


def _unreachable(settings: RedisSettings, error: Exception) -> str:
    where = settings.url.get_secret_value().rpartition("@")[2]
    return (
        f"redis_unreachable: no answer from Redis at {where} ({type(error).__name__}); "
        "start it, or set VOXROLL_REDIS_URL, or use `voxroll up`, which brings its own"
    )


@contextmanager
def reaching() -> Iterator[None]:
    """Turn whatever Redis throws into `StoreAwayError`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreAwayError from error


def script(name: str) -> str:
    """The text of a Lua script beside this module."""
    return resources.files("engine.service").joinpath(name).read_text()


async def fields(redis: Redis, key: str, *names: str) -> list[bytes | None]:
    """Fields of a hash, None for each that is not there."""
    return await cast("Awaitable[list[bytes | None]]", redis.hmget(key, list(names)))


async def whole(redis: Redis, key: str) -> dict[str, bytes]:
    """A hash, empty if there is none."""
    found = await cast("Awaitable[Mapping[bytes, bytes]]", redis.hgetall(key))
    return {name.decode(): value for name, value in found.items()}
