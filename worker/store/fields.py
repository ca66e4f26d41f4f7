"""Reading hashes with types."""

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis


async def read_fields(redis: Redis, key: str, *names: str) -> list[bytes | None]:
    """Fields of a hash, None for each that is not there."""
    found: list[bytes | None] = await cast("Awaitable[list[bytes | None]]", redis.hmget(key, list(names)))
    return found
