"""A whole house for fault tests and soak: a Valkey of its own and the three rooms as processes, kept up throughout.

What dies is started again; what was handed in is checked in the end: settled, and heard by the engine exactly once.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
from pydantic import SecretStr

from config.settings import Api, Engine, Redis, Settings, Webhook, Worker
from tests.support.keys import unexplained
from tests.support.line import credential
from tests.support.rooms import ROOMS, Room, Rooms
from tests.support.speech import said, wav
from tests.support.valkey import ValkeyProcess
from tests.support.waiting import until

_AUDIT_S = 60.0
_PAUSE_S = 0.05
_ANSWER_S = 8.0  # more than the door takes to say 503
VOICES = ("1688", "1998", "2033", "3331")
SECONDS = (6.1, 6.5, 6.3)  # of the recordings of one speaker: three are needed for an enrollment that is complete
NOBODY = "nobody"  # in whose name a test may send callbacks; what comes of them is no finding
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
            engine=Engine(client_secret=_KEY, token_key=_KEY, voice_key=_KEY),
            worker=Worker(voice_key=_KEY),
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
        """End it; what all tests left behind is audited once more."""
        try:
            self.mend()
            audit = self.rooms.run("worker", "--audit", within_s=_AUDIT_S)
            lines = [json.loads(line) for line in audit.stdout.splitlines()]
            findings = [line for line in lines if line["type"] == "finding" and line["speakerId"] != NOBODY]
            assert (findings, bool(lines)) == ([], True), audit.stderr
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
        self._known.append(speaker_id := str(body["speakerId"]))
        await until(lambda: self._accepted("POST", "/v1/enrollments", json=body), pause_s=_PAUSE_S)
        return speaker_id

    async def batch(self, name: str, *, speakers: int, bad: int = 2, more: dict[str, int] | None = None) -> str:
        """A batch of new speakers with two recordings each, and rows that are no good; its id, once it is accepted.

        `more` names speakers that are known, with the number of further recordings.
        """
        rows, wanted = [{"speakerId": f"{name}_bad", "source": "/nowhere.wav"}] * bad, []
        for _ in range(speakers):
            request = self.house.request(samples=2)
            wanted.append(str(request["speakerId"]))
            rows += [{"speakerId": wanted[-1], "source": one["source"]} for one in request["recordings"]]
        rows += [row for known, number in (more or {}).items() for row in self._others(known, number)]
        return await self._handed_in(name, rows, wanted)

    async def replace(self, speaker_id: str, *, samples: int) -> str:
        """A batch of other recordings that take the place of what a speaker was enrolled of."""
        rows = self._others(speaker_id, samples)
        return await self._handed_in(f"instead of {speaker_id}", rows, [], onExisting="replace")

    def _others(self, speaker_id: str, number: int) -> list[dict[str, str]]:
        """Rows of recordings of the speaker that were not handed in: the last of three first."""
        paths = self.house.recordings(int(speaker_id.removeprefix("s")))[::-1][:number]
        return [{"speakerId": speaker_id, "source": str(path)} for path in paths]

    async def _handed_in(self, name: str, rows: list[dict[str, str]], wanted: list[str], **options: str) -> str:
        body = {"name": name, "rows": rows, "goal": {"quality": "High", "samples": 3}} | options
        found: dict[str, Any] = {}

        async def is_accepted() -> bool:
            status, told = await self._answer("POST", self.house.rooms.url + "/v1/batches", json=body)
            assert status in {0, 200, 202, 503}, told
            found.update(told if status in {200, 202} else {})
            return bool(found)

        await until(is_accepted, pause_s=_PAUSE_S)
        self._known += wanted
        return str(found["batchId"])

    async def roll_back(self, batch_id: str) -> None:
        """Have a batch undone; asked again until it is accepted."""
        path = f"/v1/batches/{batch_id}:rollback"
        await until(lambda: self._accepted("POST", path), pause_s=_PAUSE_S)

    async def of_batch(self, batch_id: str) -> list[str]:
        """The speakers of a batch."""
        return [one["speakerId"] for one in (await self.told(f"/v1/speakers?batch={batch_id}"))["speakers"]]

    async def consists_of(self, speaker_id: str, states: dict[str, int]) -> dict[str, Any]:
        """The speaker once settled, whose samples stand so; the engine has heard those that are applied, once each."""
        document = await self.settled(speaker_id)
        self._known = [one for one in self._known if one != speaker_id]  # not all of its samples are to be applied
        assert Counter(sample["state"] for sample in document["samples"]) == states, document
        applied = [one["measures"]["durationS"] for one in document["samples"] if one["state"] == "applied"]
        heard = await self._heard(speaker_id)
        assert heard == (pytest.approx(sum(applied), abs=0.2) if applied else None), document
        return document

    async def batch_ended(self, batch_id: str, *states: str) -> dict[str, Any]:
        """The batch once it has ended."""
        document: dict[str, Any] = {}

        async def is_over() -> bool:
            document.update(await self.told(f"/v1/batches/{batch_id}"))
            return str(document["state"]).startswith(states or ("completed", "cancelled"))

        try:
            await until(is_over, pause_s=_PAUSE_S)
        except TimeoutError:
            pytest.fail(f"not ended: {json.dumps(document)}")
        return document

    async def upload(self) -> tuple[int, str | None]:
        """One recording of a new speaker as a file; the status and, of a refusal, its code."""
        body = self.house.request(samples=1)
        speaker_id, source = str(body["speakerId"]), Path(body["recordings"][0]["source"])
        form = aiohttp.FormData({"speakerId": speaker_id})
        form.add_field("recording", source.read_bytes(), filename=source.name)
        async with self.http.post(self.house.rooms.url + "/v1/enrollments", data=form) as answer:
            if answer.status == 202:
                self._known.append(speaker_id)
            return answer.status, (await answer.json(content_type=None)).get("code")

    async def refused(self) -> str:
        """The code of the answer to a speaker that can't be taken in now, which must be a 503 that says when again."""
        url = self.house.rooms.url + "/v1/enrollments"
        async with self.http.post(url, json=self.house.request()) as answer:
            problem = await answer.json(content_type=None)
            assert (answer.status, "Retry-After" in answer.headers) == (503, True), problem
        return str(problem["code"])

    async def erase(self, speaker_id: str) -> None:
        """Have a speaker forgotten; asked again until it is accepted."""
        await until(lambda: self._accepted("DELETE", f"/v1/speakers/{speaker_id}"), pause_s=_PAUSE_S)
        self._known.remove(speaker_id)

    async def gone(self, speaker_id: str) -> None:
        """Return once the engine has nothing of a speaker."""

        async def is_gone() -> bool:
            return await self._heard(speaker_id) is None

        await until(is_gone, pause_s=_PAUSE_S)

    async def document(self, speaker_id: str) -> dict[str, Any]:
        """The speaker's document."""
        return await self.told(f"/v1/speakers/{speaker_id}")

    async def settled(self, speaker_id: str) -> dict[str, Any]:
        """The speaker's document once nothing is left to do."""
        document: dict[str, Any] = {}

        async def is_settled() -> bool:
            document.update(await self.document(speaker_id))
            return bool(document["settled"])

        try:
            await until(is_settled, pause_s=_PAUSE_S)
        except TimeoutError:
            pytest.fail(f"not settled: {json.dumps(document)}")
        return document

    async def all_is_well(self) -> list[dict[str, Any]]:
        """Everybody who was handed in is settled, and heard exactly once; returns the documents."""
        documents = [await self.settled(speaker_id) for speaker_id in self._known]
        for document in documents:
            assert [sample["state"] for sample in document["samples"]] == ["applied"] * len(document["samples"])
            applied_s = sum(sample["measures"]["durationS"] for sample in document["samples"])
            assert await self._heard(document["speakerId"]) == pytest.approx(applied_s, abs=0.2), document
        return documents

    async def ready(self) -> None:
        """Return once engine and door can do their work and a worker lives."""
        for url in (self.house.rooms.engine_url, self.house.rooms.url):
            await until(partial(self._is_ok, url + "/readyz"), pause_s=0.02)

    async def _is_ok(self, url: str) -> bool:
        status, _ = await self._answer("GET", url)
        return status == 200

    async def _accepted(self, method: str, path: str, **request: Any) -> bool:
        status, body = await self._answer(method, self.house.rooms.url + path, **request)
        assert status in {0, 202, 503}, body
        return status == 202

    async def told(self, path: str) -> dict[str, Any]:
        """What the door tells, through every 503 and every cut connection."""
        document: dict[str, Any] = {}

        async def is_told() -> bool:
            status, body = await self._answer("GET", self.house.rooms.url + path)
            document.update(body if status == 200 else {})
            return status == 200

        await until(is_told, pause_s=_PAUSE_S)
        return document

    async def _heard(self, speaker_id: str) -> float | None:
        """Seconds of audio that the engine has of a speaker, None if it has nothing; through all its faults."""
        engine = self.house.rooms.engine_url
        found: list[float | None] = []

        async def is_known() -> bool:
            url = f"{engine}/ai/audio/v1/enrollments/{speaker_id}"
            status, body = await self._answer("GET", url, headers=self._bearer)
            if status == 401:
                self._bearer = await token(self.http, engine, self.house.settings)
            if status in {200, 404}:
                found.append(body["totalEnrollDuration"] if status == 200 else None)
            return bool(found)

        await until(is_known, pause_s=_PAUSE_S)
        return found[0]

    async def _answer(self, method: str, url: str, **request: Any) -> tuple[int, Any]:
        """Status and JSON; status 0 where there is no answer."""
        try:
            async with self.http.request(method, url, **request) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return 0, None


async def token(http: aiohttp.ClientSession, url: str, settings: Settings) -> dict[str, str]:
    """The header that opens the engine."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": credential(settings).get_secret_value(),
    }
    basic = aiohttp.encode_basic_auth("voxroll", settings.engine.client_secret.get_secret_value())
    async with http.post(f"{url}/restapi/oauth/token", data=form, headers={"Authorization": basic}) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


@asynccontextmanager
async def visiting(house: House) -> AsyncIterator[Guest]:
    """A guest of a house in which everything runs; what the test broke is mended before the next."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S)) as http:
        guest = Guest(house, http)
        house.mend()
        await guest.ready()
        try:
            yield guest
        finally:
            house.points.clear()
            for name in house.rooms.running():
                if name not in ROOMS:
                    house.rooms.kill(name)
