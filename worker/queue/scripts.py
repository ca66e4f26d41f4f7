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

    A script that the server has not loaded (it is new, or was flushed) is run by a second round trip; the others are
    not run again.

    Raises:
        RedisError, OSError: Redis did not answer. What it did of the calls is not known.
    """
    answers = await _send(redis, calls)
    unknown = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if unknown:
        for script in {calls[number].script for number in unknown}:
            await redis.script_load(script.text)
        for number, answer in zip(unknown, await _send(redis, [calls[number] for number in unknown]), strict=True):
            answers[number] = answer
    if failed := next((answer for answer in answers if isinstance(answer, Exception)), None):
        raise failed
    return answers


async def _send(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    if len(calls) == 1:  # not in a pipeline of its own: a client may send it with others
        return [await _told(redis, calls[0])]
    async with redis.pipeline(transaction=False) as pipe:
        for call in calls:
            pipe.evalsha(call.script.sha, len(call.keys), *call.keys, *call.args)
        return list(await pipe.execute(raise_on_error=False))


async def _told(redis: Redis, call: Call) -> Any:
    try:
        return await redis.evalsha(call.script.sha, len(call.keys), *call.keys, *call.args)  # type: ignore[misc]  # typed for both clients
    except NoScriptError as unknown:
        return unknown
