"""A whole house for fault tests and soak: a Valkey of its own and the three rooms as processes, kept up throughout.

What dies is started again; what was handed in is checked in the end: settled, and heard by the engine exactly once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
from pydantic import SecretStr

from config.settings import Api, Engine, Redis, Settings, Webhook
from tests.support.keys import unexplained
from tests.support.rooms import ROOMS, Room, Rooms
from tests.support.speech import said, wav
from tests.support.valkey import ValkeyProcess

PATIENCE_S = 60
VOICES = ("1688", "1998", "2033", "3331")
SECONDS = (6.1, 6.5, 6.3)  # of the recordings of one speaker: three are needed for an enrollment that is complete
_KEY = SecretStr("k" * 48)
_QUICK = {
    "WORKER_LEASE": "1s",
    "WORKER_SWEEP": "1s",
    "WORKER_ANSWER_DEADLINE": "2s",
    "API_TIMEOUT": "3s",
    "REDIS_TIMEOUT": "1s",
    "ENGINE_LEASE": "1s",
}


class House:
    """Everything, over one folder.

    Args:
        folder: that of data, logs and recordings.
        variables: VOXROLL_ variables without the prefix, beside and before the usual ones of a fault test.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.valkey = ValkeyProcess(folder / "valkey", fsync="always")
        self.settings = Settings(
            account="house",
            data_dir=folder,
            redis=Redis(url=SecretStr(self.valkey.url)),
            api=Api(client_secret=_KEY, timeout=timedelta(seconds=3)),
            webhook=Webhook(token_key=_KEY),
            engine=Engine(client_secret=_KEY, token_key=_KEY),
        )
        self.rooms = Rooms(self.settings, **_QUICK | variables)
        self.points = self.rooms.points
        self._numbers = count(1)
        self._recordings = folder / "recordings"

    def open(self) -> None:
        self.valkey.start()
        self._recordings.mkdir()
        for voice in VOICES:
            for number, seconds in enumerate(SECONDS):
                (self._recordings / f"{voice}-{number}.wav").write_bytes(
                    wav(said(voice, seconds=seconds, skip=3 * number))
                )
        self.mend()

    def mend(self) -> None:
        """Start whatever doesn't run."""
        running = self.rooms.running()
        for room in ROOMS:
            if room not in running:
                self.rooms.start(room)

    @asynccontextmanager
    async def changed(self, room: Room, **variables: str) -> AsyncIterator[None]:
        """The room with further environment variables for as long as the block lasts; it ends in good order twice."""
        assert self.rooms.stop(room) == 0
        self.rooms.start(room, **variables)
        yield
        assert self.rooms.stop(room) == 0
        self.mend()

    def close(self) -> None:
        try:
            with redis.Redis.from_url(self.valkey.url) as plain:
                assert unexplained(plain) == []
        finally:
            self.rooms.close()
            self.valkey.close()

    def recordings(self, speaker_number: int) -> list[Path]:
        """Those of the voice that a speaker has."""
        voice = VOICES[speaker_number % len(VOICES)]
        return [self._recordings / f"{voice}-{one}.wav" for one in range(len(SECONDS))]

    def request(self, *, samples: int = 2) -> dict[str, Any]:
        """A new speaker with some recordings, all of which are to be applied."""
        number = next(self._numbers)
        sources = [{"source": str(path)} for path in self.recordings(number)[:samples]]
        return {
            "speakerId": f"s{number}",
            "recordings": sources,
            "goal": {"quality": "High", "samples": samples},
        }


class Guest:
    """Who uses a house: over HTTP, as everybody does."""

    def __init__(self, house: House, http: aiohttp.ClientSession) -> None:
        self.house = house
        self.http = http
        self._known: list[str] = []
        self._bearer: dict[str, str] = {}

    async def hand_in(self, *, samples: int = 2) -> str:
        """A new speaker; sent again until it is accepted."""
        body = self.house.request(samples=samples)
        speaker_id = str(body["speakerId"])
        self._known.append(speaker_id)
        async with asyncio.timeout(PATIENCE_S):
            while await self._status("POST", "/v1/enrollments", json=body) != 202:
                await asyncio.sleep(0.05)
        return speaker_id

    async def upload(self) -> tuple[int, str | None]:
        """One recording of a new speaker as a file; the status and, of a refusal, its code."""
        body = self.house.request(samples=1)
        speaker_id = str(body["speakerId"])
        form = aiohttp.FormData({"speakerId": speaker_id})
        source = Path(body["recordings"][0]["source"])
        form.add_field("recording", source.read_bytes(), filename=source.name)
        async with self.http.post(self.house.rooms.url + "/v1/enrollments", data=form) as answer:
            if answer.status == 202:
                self._known.append(speaker_id)
            return answer.status, (await answer.json(content_type=None)).get("code")

    async def erase(self, speaker_id: str) -> None:
        """Have a speaker forgotten; asked again until it is accepted."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._status("DELETE", f"/v1/speakers/{speaker_id}") != 202:
                await asyncio.sleep(0.05)
        self._known.remove(speaker_id)

    async def gone(self, speaker_id: str) -> None:
        """Return once the engine has nothing of a speaker."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._heard(speaker_id) is not None:
                await asyncio.sleep(0.05)

    async def refused(self) -> str:
        """The code of the answer to a speaker that can't be taken in now, which must be a 503 that says when again."""
        url = self.house.rooms.url + "/v1/enrollments"
        async with self.http.post(url, json=self.house.request()) as answer:
            problem = await answer.json(content_type=None)
            assert (answer.status, "Retry-After" in answer.headers) == (503, True), problem
        return str(problem["code"])

    async def _status(self, method: str, path: str, **request: Any) -> int:
        try:
            async with self.http.request(method, self.house.rooms.url + path, **request) as answer:
                assert answer.status in {202, 503}, await answer.text()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    async def document(self, speaker_id: str) -> dict[str, Any]:
        """The speaker's document, through every 503 and every cut connection."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with self.http.get(f"{self.house.rooms.url}/v1/speakers/{speaker_id}") as answer:
                        if answer.status == 200:
                            document: dict[str, Any] = await answer.json()
                            return document
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.05)

    async def settled(self, speaker_id: str) -> dict[str, Any]:
        """The speaker's document once nothing is left to do."""
        async with asyncio.timeout(PATIENCE_S):
            while not (document := await self.document(speaker_id))["settled"]:
                await asyncio.sleep(0.05)
        return document

    async def all_is_well(self) -> list[dict[str, Any]]:
        """Everybody who was handed in is settled, and heard exactly once; returns the documents."""
        documents = []
        for speaker_id in self._known:
            documents.append(document := await self.settled(speaker_id))
            assert [sample["state"] for sample in document["samples"]] == ["applied"] * len(document["samples"])
            heard = sum(sample["measures"]["durationS"] for sample in document["samples"])
            assert await self._heard(speaker_id) == pytest.approx(heard, abs=0.2), document
        return documents

    async def _heard(self, speaker_id: str) -> float | None:
        """Seconds of audio that the engine has of a speaker; through faults that make it answer badly."""
        url = self.house.rooms.engine_url
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with self.http.get(
                        f"{url}/ai/audio/v1/enrollments/{speaker_id}", headers=self._bearer
                    ) as answer:
                        if answer.status == 200:
                            return float((await answer.json())["totalEnrollDuration"])
                        if answer.status == 404:
                            return None
                        if answer.status == 401:
                            self._bearer = await token(self.http, url, self.house.settings)
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.05)

    async def ready(self) -> None:
        """Engine and door answer and can do their work, a worker lives."""
        async with asyncio.timeout(PATIENCE_S):
            for url in (self.house.rooms.engine_url, self.house.rooms.url):
                while True:
                    try:
                        async with self.http.get(url + "/readyz") as answer:
                            if answer.status == 200:
                                break
                    except (aiohttp.ClientError, TimeoutError):
                        pass
                    await asyncio.sleep(0.02)


async def token(http: aiohttp.ClientSession, url: str, settings: Settings) -> dict[str, str]:
    """The header that opens the engine."""
    from tests.support.line import credential

    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": credential(settings).get_secret_value(),
    }
    basic = aiohttp.encode_basic_auth("voxroll", settings.engine.client_secret.get_secret_value())
    async with http.post(f"{url}/restapi/oauth/token", data=form, headers={"Authorization": basic}) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


@asynccontextmanager
async def visiting(house: House) -> AsyncIterator[Guest]:
    """A guest of a house in which everything runs; what the test broke is mended after it."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=8)) as http:
        guest = Guest(house, http)
        house.mend()
        await guest.ready()
        try:
            yield guest
        finally:
            house.points.clear()
