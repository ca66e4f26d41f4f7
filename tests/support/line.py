"""The whole line for tests: the real engine and the real front door served here, the workshop's steps run by hand.

Waiting is done on the event stream and on the journal, never by sleeping.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Settings
from engine.service.app import create_app as create_engine
from tests.support.serving import bound, serving, url_of
from tests.support.voices import voice
from webhook.app import create_app as create_door
from worker.enrollment.record import Record, SpeakerId
from worker.furnishing import opened
from worker.store import keys
from worker.workshop import Workshop

_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Line:
    """Engine, door and workshop over one Redis."""

    settings: Settings
    shop: Workshop
    redis: ArqRedis
    door: aiohttp.ClientSession

    async def hand_in(self, speaker_id: str, *paths: Path) -> dict[str, Any]:
        """`POST /v1/enrollments`, by path."""
        body = {"speakerId": speaker_id, "recordings": [{"source": str(path)} for path in paths]}
        async with self.door.post("/v1/enrollments", json=body) as answer:
            assert answer.status == 202, await answer.text()
            document: dict[str, Any] = await answer.json()
            return document

    async def document(self, speaker_id: str) -> dict[str, Any]:
        """`GET /v1/speakers/{speakerId}`."""
        async with self.door.get(f"/v1/speakers/{speaker_id}") as answer:
            document: dict[str, Any] = await answer.json()
            return document

    async def record(self, speaker_id: str) -> Record:
        return (await self.shop.store.get(SpeakerId(speaker_id))).record

    async def callbacks(self, number: int = 1) -> list[str]:
        """Ids of the callbacks in the journal, once there are so many."""
        key = keys.callbacks(self.settings.account)
        async with asyncio.timeout(_PATIENCE_S):
            while len(found := await self.redis.xrange(key)) < number:
                await self.redis.xread({key: found[-1][0] if found else b"0"}, block=1000)
        return [entry_id.decode() for entry_id, _ in found]

    async def refused(self) -> str:
        """Why the first refused callback was refused, once there is one."""
        async with asyncio.timeout(_PATIENCE_S):
            while not (read := await self.redis.xread({keys.refused(self.settings.account): b"0"}, block=1000)):
                pass
        return str(read[0][1][0][1][b"verdict"].decode())

    async def settled(self, speaker_id: str) -> dict[str, Any]:
        """The speaker's document once nothing is left to do; waits on the event stream."""
        last = b"0"
        async with asyncio.timeout(_PATIENCE_S):
            while not (document := await self.document(speaker_id))["settled"]:
                read = await self.redis.xread({keys.events(self.settings.account): last}, block=1000)
                last = read[-1][1][-1][0] if read else last
        return document


@asynccontextmanager
async def line(settings: Settings) -> AsyncIterator[Line]:
    """Everything up but the worker's loop."""
    async with AsyncExitStack() as stack:
        engine_socket, door_socket = bound(), bound()
        own = settings.model_copy(
            update={
                "api": settings.api.model_copy(update={"base_url": url_of(engine_socket), "jwt": credential(settings)}),
                "webhook": settings.webhook.model_copy(update={"url": url_of(door_socket)}),
            }
        )
        await stack.enter_async_context(serving(create_engine(own, voice=voice()), on=engine_socket))
        url = await stack.enter_async_context(serving(create_door(own), on=door_socket))
        await _ready(url_of(engine_socket))
        shop, redis = await stack.enter_async_context(opened(own, voice=voice()))
        door = await stack.enter_async_context(aiohttp.ClientSession(url))
        yield Line(own, shop, redis, door)


def credential(settings: Settings) -> SecretStr:
    """The JWT credential that the engine takes from this account."""
    key = settings.engine.token_key.get_secret_value()
    return SecretStr(jwt.encode({"iss": "voxroll", "sub": settings.account}, key, "HS256"))


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession(url) as http, asyncio.timeout(_PATIENCE_S):
        while True:
            async with http.get("/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.02)


def at_later_time(one: Line, *, seconds: float) -> Line:
    """The same line, its workshop's clock so many seconds ahead."""
    now = one.shop.now
    return replace(one, shop=replace(one.shop, now=lambda: now() + timedelta(seconds=seconds)))
