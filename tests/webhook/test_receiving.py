"""Callbacks at the front door under load and in bad times: grouped, bounded, never answered before they are written."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import yarl
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Redis, Settings
from tests.support.door import BODY, front_door, token
from tests.support.valkey import ValkeyProcess
from webhook import groups
from worker.queue.jobs import queue_name
from worker.store import keys

_LONGER_S = 10  # than the second that the tests' own Redis has for an answer, on a busy machine


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ValkeyProcess]:
    """A Valkey that the test may ill-treat."""
    server = ValkeyProcess(tmp_path / "own")
    server.start()
    yield server
    server.close()


@pytest.fixture
async def over_own(own: ValkeyProcess, settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A front door over that one, which gives it a second to answer."""
    mine = Redis(url=SecretStr(own.url), timeout=timedelta(seconds=1))
    async with front_door(settings.model_copy(update={"redis": mine})) as http:
        yield http


async def posted(door: aiohttp.ClientSession, path: str, body: bytes = BODY) -> tuple[int, str | None]:
    """The status and, where it is a problem, its code."""
    async with door.post(path, data=body) as answer:
        problem = await answer.json(content_type=None)
        return answer.status, problem.get("code")


async def metrics(door: aiohttp.ClientSession) -> dict[str, float]:
    async with door.get("/metrics") as answer:
        lines = [line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def test_callbacks_that_arrive_together_share_their_round_trips(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    path = f"/v1/callbacks/{token(settings)}"
    answers = await asyncio.gather(*(posted(door, path) for _ in range(300)))
    assert set(answers) == {(200, None)}
    assert await redis.xlen(keys.callbacks(settings.account)) == 300
    assert await redis.zcard(queue_name(settings.account)) == 300
    told = await metrics(door)
    assert told['voxroll_callbacks_total{verdict="accepted"}'] == 300
    assert told["voxroll_callback_group_size_count"] <= 100


async def test_each_entry_has_its_own_job_under_a_key_of_the_accounts_shard(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    path = f"/v1/callbacks/{token(settings)}"
    await asyncio.gather(*(posted(door, path) for _ in range(20)))
    ids = {entry_id.decode() for entry_id, _ in await redis.xrange(keys.callbacks(settings.account))}
    jobs = [job_id.decode() for job_id in await redis.zrange(queue_name(settings.account), 0, -1)]
    assert {job_id.rpartition(":")[2] for job_id in jobs} == ids
    for job_id in jobs:
        assert job_id.startswith(f"{{{settings.account}}}:")
        payload = await redis.get(f"arq:job:{job_id}")
        assert f'["{job_id.rpartition(":")[2]}"]' in payload.decode()


async def test_a_frozen_redis_is_503_in_time_for_all_that_wait_and_then_all_is_well(
    over_own: aiohttp.ClientSession, own: ValkeyProcess, settings: Settings
) -> None:
    path = f"/v1/callbacks/{token(settings)}"
    own.signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(_LONGER_S):
            answers = await asyncio.gather(*(posted(over_own, path) for _ in range(200)))
    finally:
        own.signal(signal.SIGCONT)
    assert set(answers) == {(503, "redis_unavailable")}
    assert await posted(over_own, path) == (200, None)


async def test_beyond_a_set_number_the_answer_is_503_at_once(
    over_own: aiohttp.ClientSession, own: ValkeyProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "_MOST_WAITING", 5)
    path = f"/v1/callbacks/{token(settings)}"
    own.signal(signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(posted(over_own, path) for _ in range(150)))
    finally:
        own.signal(signal.SIGCONT)
    assert set(answers) == {(503, "redis_unavailable"), (503, "busy")}
    assert answers.count((503, "redis_unavailable")) <= 128 + 5


async def test_scripts_that_redis_has_lost_are_loaded_again(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    path = f"/v1/callbacks/{token(settings)}"
    assert await posted(door, path) == (200, None)
    await redis.script_flush()
    assert await posted(door, path) == (200, None)
    assert await redis.xlen(keys.callbacks(settings.account)) == 2


async def test_a_restart_of_redis_keeps_what_was_answered(
    over_own: aiohttp.ClientSession, own: ValkeyProcess, settings: Settings
) -> None:
    path = f"/v1/callbacks/{token(settings)}"
    assert await posted(over_own, path) == (200, None)
    own.kill()
    own.start()
    async with asyncio.timeout(_LONGER_S):
        while await posted(over_own, path) != (200, None):
            pass
    async with over_own.get("/v1/callbacks") as answer:
        assert len((await answer.json())["callbacks"]) == 2


@pytest.mark.parametrize("change", [lambda path: path + "?jobId=7", lambda path: path.replace(".", "%2E")])
async def test_an_unusual_path_finds_its_way_too(
    door: aiohttp.ClientSession, settings: Settings, *, change: Callable[[str], str]
) -> None:
    path = change(f"/v1/callbacks/{token(settings)}")
    async with door.post(yarl.URL(path, encoded=True), data=BODY) as answer:
        assert answer.status == 200


async def test_a_sender_that_asks_before_it_sends_is_told_to_go_on(
    door: aiohttp.ClientSession, settings: Settings
) -> None:
    async with door.post(f"/v1/callbacks/{token(settings)}", data=BODY, expect100=True) as answer:
        assert answer.status == 200


async def spoken(door: aiohttp.ClientSession, *requests: bytes) -> bytes:
    """What the door answers to raw requests of one connection, until it closes it."""
    address = urlsplit(str(door._base_url))  # noqa: SLF001 -- aiohttp has no other way
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.writelines(requests)
    async with asyncio.timeout(_LONGER_S):
        answer = await reader.read()
    writer.close()
    return answer


def raw(path: str, *headers: str, version: str = "1.1", body: bytes = BODY) -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: door", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_requests_of_one_connection_are_answered_one_by_one_and_the_last_one_closes_it(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    path = f"/v1/callbacks/{token(settings)}"
    answer = await spoken(door, raw(path), raw(path), raw(path, "Connection: close"))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == answer.count(b"\r\n\r\n{}") == answer.count(b"\r\nDate: ") == 3
    assert await redis.xlen(keys.callbacks(settings.account)) == 3


async def test_an_old_client_is_answered_in_its_own_way(door: aiohttp.ClientSession, settings: Settings) -> None:
    answer = await spoken(door, raw(f"/v1/callbacks/{token(settings)}", version="1.0"))
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n{}")


async def test_what_is_not_a_callback_goes_to_the_application(door: aiohttp.ClientSession) -> None:
    assert await posted(door, "/v1/callbacks/a/b") == (404, "no_such_route")
    async with door.put("/v1/callbacks/token", data=b"{}") as answer:
        assert answer.status == 405


async def test_a_validation_is_echoed_and_there_is_nothing_to_write_down(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    path, headers = f"/v1/callbacks/{token(settings)}", {"Validation-Token": "e-c-h-o"}
    async with door.post(path, headers=headers) as answer:
        assert (answer.status, answer.headers["Validation-Token"]) == (200, "e-c-h-o")
        assert answer.content_type == "application/json"
    assert await redis.exists(keys.callbacks(settings.account)) == 0
    async with door.post(path, headers=headers, data=BODY) as answer:
        assert (answer.status, answer.headers["Validation-Token"]) == (200, "e-c-h-o")
    assert await redis.xlen(keys.callbacks(settings.account)) == 1


async def test_a_validation_without_a_token_of_ours_is_refused(door: aiohttp.ClientSession) -> None:
    async with door.post("/v1/callbacks/2.x.y.z", headers={"Validation-Token": "e"}) as answer:
        assert answer.status == 403
        assert "Validation-Token" not in answer.headers


async def test_a_slow_body_is_waited_for(door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (BODY[:10], BODY[10:50], BODY[50:]):
            await asyncio.sleep(0)
            yield piece

    async with door.post(f"/v1/callbacks/{token(settings)}", data=pieces()) as answer:
        assert answer.status == 200
    ((_, entry),) = await redis.xrange(keys.callbacks(settings.account))
    assert entry[b"body"] == BODY
