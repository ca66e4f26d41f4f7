"""The Lua scripts of this folder: several calls in one round trip, loaded again when Redis has lost them.

Every script may be run twice for one call, when an answer was lost: each is written so that this changes nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

MOST = 256  # jobs in one call: bounds how long Redis is busy, and Lua's stack


@dataclass(frozen=True, slots=True)
class Script:
    """One script and the name under which Redis keeps it."""

    text: str
    sha: str

    @classmethod
    def named(cls, name: str) -> "Script":
        """The script in `name.lua`."""
        text = resources.files(__package__).joinpath(f"{name}.lua").read_text()
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Call:
    """A script with its keys, all of one hash slot, and its arguments."""

    script: Script
    keys: tuple[str, ...]
    args: Sequence[Any]


async def run(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """Run scripts one after the other, in one round trip; returns their answers.

    Raises:
        RedisError, OSError: Redis did not answer. What it did of the calls is not known.
    """
    try:
        return await _send(redis, calls)
    except NoScriptError:  # a new server, or a flushed one
        for script in {call.script for call in calls}:
            await redis.script_load(script.text)
        return await _send(redis, calls)


async def _send(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    async with redis.pipeline(transaction=False) as pipe:
        for call in calls:
            pipe.evalsha(call.script.sha, len(call.keys), *call.keys, *call.args)
        return list(await pipe.execute())
