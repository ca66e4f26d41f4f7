"""Redis not there at start: a clear message and an exit code. Gone while running: everybody waits and recovers."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from config.process import EXIT_UNAVAILABLE
from config.settings import Redis, Settings
from tests.faults.watching import ready, settled_document
from tests.support.rooms import Room, Rooms
from tests.support.speech import said, wav
from tests.support.valkey import ValkeyProcess


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyProcess]:
    server = ValkeyProcess(tmp_path / "own", fsync="always")
    yield server
    server.close()


@pytest.fixture
def rooms(settings: Settings, own_valkey: ValkeyProcess) -> Iterator[Rooms]:
    own = settings.model_copy(update={"redis": Redis(url=SecretStr(own_valkey.url))})
    rooms = Rooms(own, WORKER_LEASE="2s", WORKER_SWEEP="1s", WORKER_ANSWER_DEADLINE="4s", REDIS_TIMEOUT="1s")
    yield rooms
    rooms.close()


@pytest.mark.parametrize("room", ["engine", "webhook", "worker"])
def test_without_redis_nothing_starts_and_the_message_says_why(rooms: Rooms, room: Room) -> None:
    rooms.start(room)
    assert rooms.wait(room) == EXIT_UNAVAILABLE
    assert "redis_unreachable" in rooms.log(room)
    assert "VOXROLL_REDIS_URL" in rooms.log(room)
    assert "Traceback" not in rooms.log(room)


async def test_redis_restarted_while_running_loses_nothing(
    rooms: Rooms, own_valkey: ValkeyProcess, tmp_path: Path
) -> None:
    own_valkey.start()
    for room in ("engine", "webhook", "worker"):
        rooms.start(room)
    await ready(rooms.engine_url)
    await ready(rooms.url)
    recordings = []
    for number in range(2):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(wav(said("1688", seconds=8, skip=3 * number)))
        recordings.append({"source": str(path)})
    async with aiohttp.ClientSession(rooms.url) as door:
        async with door.post("/v1/enrollments", json={"speakerId": "anna", "recordings": recordings}) as answer:
            assert answer.status == 202
        own_valkey.kill()
        async with door.post("/v1/enrollments", json={"speakerId": "berta", "recordings": recordings}) as answer:
            assert answer.status == 503
            assert (await answer.json(content_type=None))["code"] == "redis_unavailable"
        own_valkey.start()
        document = await settled_document(door, "anna")
    assert [sample["state"] for sample in document["samples"]] == ["applied", "applied"]
    assert "Traceback" not in rooms.log("webhook")
    assert rooms.stop("worker") == 0
