"""`kill -9` of the worker at any moment: nothing is lost, no sample is applied twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.faults.watching import PATIENCE_S, ready
from tests.support.line import credential
from tests.support.rooms import Room, Rooms
from tests.support.speech import said, wav
from worker.store import keys

SPEAKERS = {"anna": "1688", "berta": "1998", "carla": "2033"}
ROOMS: tuple[Room, ...] = ("engine", "webhook", "worker")


@pytest.fixture
def rooms(settings: Settings) -> Iterator[Rooms]:
    rooms = Rooms(settings, WORKER_LEASE="2s", WORKER_SWEEP="1s", WORKER_ANSWER_DEADLINE="4s", API_TIMEOUT="10s")
    yield rooms
    rooms.close()


async def hand_in(url: str, folder: Path) -> None:
    async with aiohttp.ClientSession(url) as door:
        for speaker_id, voice in SPEAKERS.items():
            recordings = []
            for number in range(3):
                path = folder / f"{speaker_id}{number}.wav"
                path.write_bytes(wav(said(voice, seconds=7, skip=3 * number)))
                recordings.append({"source": str(path)})
            body = {"speakerId": speaker_id, "recordings": recordings, "goal": {"quality": "High", "samples": 3}}
            async with door.post("/v1/enrollments", json=body) as answer:
                assert answer.status == 202, await answer.text()


async def happened(redis: ArqRedis, settings: Settings, event: str, *, times: int) -> None:
    """Wait on the event stream until `event` was told so often."""
    last, seen = b"0", 0
    async with asyncio.timeout(PATIENCE_S):
        while seen < times:
            for _, entries in await redis.xread({keys.events(settings.account): last}, block=1000):
                last = entries[-1][0]
                for _, fields in entries:
                    seen += f'"{event}"'.encode() in fields[b"event"]


async def settled(rooms: Rooms, redis: ArqRedis, settings: Settings) -> list[dict[str, Any]]:
    last = b"$"
    async with aiohttp.ClientSession(rooms.url) as door, asyncio.timeout(PATIENCE_S):
        while True:
            async with door.get("/v1/speakers") as answer:
                documents: list[dict[str, Any]] = (await answer.json())["speakers"]
            if len(documents) == len(SPEAKERS) and all(document["settled"] for document in documents):
                return documents
            await redis.xread({keys.events(settings.account): last}, block=300)


async def assert_applied_once(rooms: Rooms, settings: Settings, documents: list[dict[str, Any]]) -> None:
    """What the engine has heard is the sum of the samples that the records call applied: none twice, none lost."""
    async with aiohttp.ClientSession(rooms.engine_url) as engine:
        bearer = await token(engine, settings)
        for document in documents:
            async with engine.get(f"/ai/audio/v1/enrollments/{document['speakerId']}", headers=bearer) as answer:
                known = await answer.json()
            states = [sample["state"] for sample in document["samples"]]
            assert set(states) <= {"applied", "spare"}, document
            applied = [sample for sample in document["samples"] if sample["state"] == "applied"]
            heard = sum(sample["measures"]["durationS"] for sample in applied)
            assert known["totalEnrollDuration"] == pytest.approx(heard, abs=0.2), document


async def token(engine: aiohttp.ClientSession, settings: Settings) -> dict[str, str]:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": credential(settings).get_secret_value(),
    }
    basic = aiohttp.encode_basic_auth("voxroll", settings.engine.client_secret.get_secret_value())
    async with engine.post("/restapi/oauth/token", data=form, headers={"Authorization": basic}) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


@pytest.mark.parametrize("moment", ["enrollment.started", "sample.applied"])
async def test_a_killed_worker_loses_nothing_and_applies_nothing_twice(
    rooms: Rooms, redis: ArqRedis, settings: Settings, tmp_path: Path, moment: str
) -> None:
    for room in ROOMS:
        rooms.start(room)
    await ready(rooms.engine_url)
    await ready(rooms.url)
    await hand_in(rooms.url, tmp_path)
    for times in (1, 2, 3):
        await happened(redis, settings, moment, times=times)
        rooms.kill("worker")
        rooms.start("worker")
    documents = await settled(rooms, redis, settings)
    await assert_applied_once(rooms, settings, documents)
    assert rooms.stop("worker") == 0


async def test_everything_killed_at_once_carries_on(
    rooms: Rooms, redis: ArqRedis, settings: Settings, tmp_path: Path
) -> None:
    for room in ROOMS:
        rooms.start(room)
    await ready(rooms.engine_url)
    await ready(rooms.url)
    await hand_in(rooms.url, tmp_path)
    await happened(redis, settings, "enrollment.started", times=2)
    for room in reversed(ROOMS):
        rooms.kill(room)
    for room in ROOMS:
        rooms.start(room)
    await ready(rooms.engine_url)
    documents = await settled(rooms, redis, settings)
    await assert_applied_once(rooms, settings, documents)
