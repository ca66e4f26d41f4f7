"""Connections of the door: ordinary callbacks one after the other, then anything, in any pieces, until it closes."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Redis, Settings
from tests.support.door import BODY, token
from tests.support.serving import bound
from tests.support.valkey import ValkeyProcess
from webhook import direct
from webhook.app import create_app
from webhook.direct import door
from worker.store import keys

_PATIENCE_S = 20


class Caller:
    """One connection to the door, spoken to in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        async with asyncio.timeout(_PATIENCE_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            return int(head[0].split()[1]), headers, await self._reader.readexactly(int(headers["content-length"]))

    async def rest(self) -> bytes:
        """What comes until the door closes the connection."""
        async with asyncio.timeout(_PATIENCE_S):
            return await self._reader.read()


@asynccontextmanager
async def calling(address: tuple[str, int]) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[tuple[str, int]]:
    listening = bound()
    address: tuple[str, int] = listening.getsockname()
    async with door(create_app(settings), listening):
        yield address


def request(path: str, *headers: str, body: bytes = BODY, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: door", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def callback(settings: Settings, *headers: str, body: bytes = BODY, **how: str) -> bytes:
    return request(f"/v1/callbacks/{token(settings, **how)}", *headers, body=body)  # type: ignore[arg-type]  # only strings


def by_aiohttp(headers: dict[str, str]) -> bool:
    return "server" in headers


async def test_ordinary_callbacks_follow_one_another(
    address: tuple[str, int], redis: ArqRedis, settings: Settings
) -> None:
    async with calling(address) as caller:
        for _ in range(5):
            caller.writer.write(callback(settings, "Connection: keep-alive"))
            status, headers, body = await caller.answer()
            assert (status, body, by_aiohttp(headers)) == (200, b"{}", False)
    assert await redis.xlen(keys.callbacks(settings.account)) == 5


async def test_anything_may_come_between_and_all_are_answered_in_turn(
    address: tuple[str, int], redis: ArqRedis, settings: Settings
) -> None:
    async with calling(address) as caller:
        parts = [
            callback(settings),
            request("/healthz", method="GET", body=b""),
            callback(settings),
            callback(settings, key="x" * 48),
            callback(settings, body=b"no json"),
            request("/v1/callbacks/x/y"),
            callback(settings),
        ]
        for part in parts:
            caller.writer.write(part)
        answers = [await caller.answer() for _ in parts]
    assert [status for status, _, _ in answers] == [200, 200, 200, 403, 400, 404, 200]
    assert await redis.xlen(keys.callbacks(settings.account)) == 3


async def test_what_comes_while_one_is_under_way_waits_its_turn(
    address: tuple[str, int], redis: ArqRedis, settings: Settings
) -> None:
    async with calling(address) as caller:
        caller.writer.write(callback(settings))
        for _ in range(3):
            caller.writer.write(callback(settings))
            await asyncio.sleep(0)
        bodies = [await caller.answer() for _ in range(4)]
    assert [status for status, _, _ in bodies] == [200] * 4
    assert await redis.xlen(keys.callbacks(settings.account)) == 4


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_pieces_of_any_size_make_a_callback(
    address: tuple[str, int], redis: ArqRedis, settings: Settings, size: int
) -> None:
    whole = callback(settings)
    async with calling(address) as caller:
        caller.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(whole), size):
            caller.writer.write(whole[at : at + size])
            await asyncio.sleep(0)
        assert (await caller.answer())[0] == 200
    ((_, entry),) = await redis.xrange(keys.callbacks(settings.account))
    assert entry[b"body"] == BODY


async def test_a_body_beyond_the_limit_is_told(address: tuple[str, int], settings: Settings) -> None:
    async with calling(address) as caller:
        caller.writer.write(callback(settings, body=b" " * 65_537))
        status, _, body = await caller.answer()
        assert (status, json.loads(body)["code"]) == (413, "body_too_large")


async def test_the_longest_body_that_is_allowed_is_taken(
    address: tuple[str, int], redis: ArqRedis, settings: Settings
) -> None:
    body = BODY + b" " * (65_536 - len(BODY))
    async with calling(address) as caller:
        caller.writer.write(callback(settings, body=body))
        assert (await caller.answer())[0] == 200
    ((_, entry),) = await redis.xrange(keys.callbacks(settings.account))
    assert entry[b"body"] == body


async def test_a_sender_that_goes_away_leaves_its_callback(
    address: tuple[str, int], redis: ArqRedis, settings: Settings
) -> None:
    async with calling(address) as caller:
        caller.writer.write(callback(settings))
        await caller.writer.drain()
        caller.writer.transport.abort()
    async with calling(address) as caller:
        caller.writer.write(callback(settings))
        assert (await caller.answer())[0] == 200
    assert 1 <= await redis.xlen(keys.callbacks(settings.account)) <= 2


async def test_an_idle_connection_is_closed(
    address: tuple[str, int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_IDLE_S", 0.1)
    async with calling(address) as caller:
        caller.writer.write(callback(settings))
        assert (await caller.answer())[0] == 200
        assert await caller.rest() == b""


async def test_with_redis_frozen_the_answer_is_503_and_the_connection_lives_on(
    settings: Settings, tmp_path: Path
) -> None:
    server, listening = ValkeyProcess(tmp_path / "own"), bound()
    server.start()
    mine = Redis(url=SecretStr(server.url), timeout=timedelta(seconds=1))
    try:
        async with (
            door(create_app(settings.model_copy(update={"redis": mine})), listening),
            calling(listening.getsockname()) as caller,
        ):
            server.signal(signal.SIGSTOP)
            caller.writer.write(callback(settings))
            status, headers, body = await caller.answer()
            server.signal(signal.SIGCONT)
            assert (status, json.loads(body)["code"]) == (503, "redis_unavailable")
            assert (headers["retry-after"], by_aiohttp(headers)) == ("1", False)
            caller.writer.write(callback(settings))
            assert (await caller.answer())[0] == 200
    finally:
        server.close()


async def test_at_the_end_what_is_under_way_is_answered_and_all_are_closed(settings: Settings, redis: ArqRedis) -> None:
    listening = bound()
    async with calling(listening.getsockname()) as idle, calling(listening.getsockname()) as busy:
        async with door(create_app(settings), listening):
            for caller in (idle, busy):
                caller.writer.write(callback(settings))
                assert (await caller.answer())[0] == 200
            busy.writer.write(callback(settings))
            while await redis.xlen(keys.callbacks(settings.account)) < 3:
                pass
        assert await idle.rest() == b""
        assert (await busy.rest()).startswith(b"HTTP/1.1 200 OK\r\n")
