"""Commands of one moment share a pipeline: each is answered for itself, fails for itself, nothing waits for ever."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from config.settings import Redis, Settings
from tests.support.valkey import ValkeyProcess
from worker.queue.connect import client, close
from worker.queue.scripts import Call, Script, run


@pytest.fixture
async def together(settings: Settings) -> AsyncIterator[ArqRedis]:
    made = client(settings.redis, queue_name="queue", together=True)
    yield made
    await close(made)


async def _reads(redis: ArqRedis) -> int:
    """How often the server has read from its clients."""
    return int((await redis.info("stats"))["total_reads_processed"])


async def test_a_hundred_at_one_time_are_a_few_reads_for_the_server(together: ArqRedis, settings: Settings) -> None:
    names = [f"vx:{{{settings.account}}}:{number}" for number in range(100)]
    await together.ping()
    before = await _reads(together)
    await asyncio.gather(*(together.set(name, name, ex=60) for name in names))
    told = await asyncio.gather(*(together.get(name) for name in names))
    assert told == [name.encode() for name in names]
    assert await _reads(together) - before <= 6


async def test_those_that_come_while_others_are_under_way_leave_next(together: ArqRedis) -> None:
    first = asyncio.ensure_future(together.echo("1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it has left
    assert await asyncio.gather(first, *(together.echo(str(number)) for number in range(2, 600))) == [
        str(number).encode() for number in range(1, 600)
    ]


async def test_one_that_is_refused_fails_alone(together: ArqRedis, settings: Settings) -> None:
    name = f"vx:{{{settings.account}}}:text"
    await together.set(name, "word", ex=60)
    left, wrong, right = await asyncio.gather(
        together.get(name), together.incr(name), together.echo("still"), return_exceptions=True
    )
    assert (left, right) == (b"word", b"still")
    assert isinstance(wrong, ResponseError)


async def test_who_gives_up_takes_no_other_along(together: ArqRedis) -> None:
    gone, stays = asyncio.ensure_future(together.echo("gone")), asyncio.ensure_future(together.echo("stays"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == b"stays"
    assert gone.cancelled()
    assert await together.echo("next") == b"next"


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_a_flight_that_is_cancelled_is_an_outage_for_all_that_wait(together: ArqRedis, turns: int) -> None:
    await together.ping()
    waits = [asyncio.ensure_future(together.echo(str(number))) for number in range(600)]
    for _ in range(turns):  # it has not begun, or is under way
        await asyncio.sleep(0)
    (flight,) = (task for task in asyncio.all_tasks() if "_fly" in repr(task.get_coro()))
    flight.cancel()
    async with asyncio.timeout(5):
        told = await asyncio.gather(*waits, return_exceptions=True)
        assert all(isinstance(one, RedisConnectionError) for one in told), told[:3]
        assert await together.echo("next") == b"next"


async def test_what_waits_in_redis_holds_nobody_up(together: ArqRedis, settings: Settings) -> None:
    stream = f"vx:{{{settings.account}}}:stream"
    waiting = asyncio.ensure_future(together.xread({stream: "$"}, block=20_000))
    async with asyncio.timeout(5):
        while not (await together.info("clients"))["blocked_clients"]:
            pass
        assert await together.echo("meanwhile") == b"meanwhile"
        await together.xadd(stream, {"a": "b"})
        await together.expire(stream, 60)
        assert await waiting


async def test_an_outage_is_told_to_all_and_ends(tmp_path: Path) -> None:
    valkey = ValkeyProcess(tmp_path / "own")
    valkey.start()
    quick = Redis(url=SecretStr(valkey.url), timeout=timedelta(seconds=1))
    made = client(quick, queue_name="queue", together=True)
    try:
        assert await made.ping()
        valkey.kill()
        async with asyncio.timeout(20):
            failed = await asyncio.gather(*(made.echo(str(n)) for n in range(20)), return_exceptions=True)
        assert all(isinstance(one, RedisError | OSError) for one in failed), failed
        assert any(isinstance(one, RedisConnectionError) for one in failed)
        valkey.start()
        assert await asyncio.gather(*(made.echo(str(n)) for n in range(20))) == [str(n).encode() for n in range(20)]
    finally:
        await close(made)
        valkey.close()


async def test_only_scripts_that_the_server_lacks_are_run_again(redis: ArqRedis, settings: Settings) -> None:
    key = f"vx:{{{settings.account}}}:count"
    counts, is_new = (
        Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
        for text in ("return redis.call('INCR', KEYS[1])", f"return '{settings.account}'")
    )
    await redis.script_load(counts.text)
    told = await run(redis, [Call(counts, (key,), ()), Call(is_new, (key,), ())])
    assert told == [1, settings.account.encode()]
    assert await redis.get(key) == b"1"
    await redis.delete(key)
