"""The connection to Redis: every wait is bounded, repeats are harmless, failures have clear words."""

import asyncio
from typing import Any

import hiredis
from arq.connections import ArqRedis
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisError

from config.process import UnavailableError
from config.settings import Redis as RedisSettings
from worker.queue.jobs import dumps, loads
from worker.queue.together import TogetherRedis

_PATIENCE_S = 5.0  # a server that is starting, or loading its append-only file, answers within this or is waited for


def client(settings: RedisSettings, *, queue_name: str, connections: int = 50, together: bool = False) -> ArqRedis:
    """A client whose every wait is bounded. It connects on first use.

    Args:
        settings: where Redis is.
        queue_name: arq's default.
        connections: at most.
        together: commands of one moment share a pipeline, for a process that does much at one time.
    """
    timeout_s = settings.timeout.total_seconds()
    pool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=connections,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, 2.0),
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
        retry_on_error=[RedisConnectionError],
    )
    pool.connection_class = type("PackedConnection", (_PackedInC, pool.connection_class), {})
    kind = TogetherRedis if together else ArqRedis
    return kind(pool, job_serializer=dumps, job_deserializer=loads, default_queue_name=queue_name)


class _PackedInC:
    """A connection that packs its commands with hiredis, as redis-py's blocking one does: a sixth of the time."""

    def pack_command(self, name: str, *args: Any) -> list[bytes]:
        """The bytes of a command; its name may have several words."""
        try:
            return [hiredis.pack_command((*name.split(), *args))]
        except TypeError as error:
            raise DataError("an argument is neither bytes, string nor number") from error


async def close(redis: ArqRedis) -> None:
    """Close the client and every connection of its pool."""
    await redis.aclose(close_connection_pool=True)


async def wait_until_there(redis: ArqRedis, settings: RedisSettings) -> None:
    """Return once Redis answers.

    Raises:
        UnavailableError: it didn't within a few seconds.
    """
    give_up = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            if asyncio.get_running_loop().time() < give_up:
                await asyncio.sleep(0.1)
                continue
            raise UnavailableError(unreachable(settings, error)) from error
        else:
            return


def unreachable(settings: RedisSettings, error: Exception) -> str:
    """Say that Redis is not there, without its password."""
    where = settings.url.get_secret_value().rpartition("@")[2]
    return (
        f"redis_unreachable: no answer from Redis at {where} ({type(error).__name__}); "
        "start it, or set VOXROLL_REDIS_URL, or use `voxroll up`, which brings its own"
    )
