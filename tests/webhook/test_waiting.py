"""`Prefer: wait=`: the answer to an enrollment waits until its recordings are measured, woken by events alone."""

import asyncio
import io
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Settings
from tests.support.door import front_door
from tests.support.lives import MEASURES, recipe
from tests.support.waiting import until
from webhook.preference import wait_of
from webhook.room import utc_now
from worker.enrollment.facts import SampleReady, SampleRejected
from worker.enrollment.record import RecordingId, SpeakerId
from worker.store.status import StatusStore

_AT_ONCE_S = 5.0  # of 30 that were asked for: somebody was woken


class Here:
    """A front door, and facts as a worker would commit them."""

    def __init__(self, door: aiohttp.ClientSession, store: StatusStore, folder: Path) -> None:
        self.door = door
        self.folder = folder
        self._store = store

    def recording(self, name: str) -> Path:
        path = self.folder / name
        path.write_bytes(b"RIFF" + name.encode())
        return path

    def asked(self, speaker_id: str, *names: str) -> dict[str, Any]:
        sources = [{"source": str(self.recording(name))} for name in names]
        return {"speakerId": speaker_id, "recordings": sources}

    def enroll(self, speaker_id: str, *names: str, **headers: str) -> "asyncio.Task[dict[str, Any]]":
        """Hand in; the task ends with the document."""
        return asyncio.create_task(self._answer(self.asked(speaker_id, *names), headers))

    async def _answer(self, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        async with self.door.post("/v1/enrollments", json=body, headers=headers) as answer:
            assert answer.status == 202
            told: dict[str, Any] = await answer.json()
            return told | {"applied": answer.headers.get("Preference-Applied")}

    async def planned(self, speaker_id: str, number: int) -> list[RecordingId]:
        """The recordings that wait to be measured, once there are so many."""
        found = list[RecordingId]()

        async def are_there() -> bool:
            record = (await self._store.get(SpeakerId(speaker_id))).record
            found[:] = [one.recording_id for one in record.samples if not one.prepared]
            return len(found) == number

        await until(are_there)
        return found

    async def ready(self, speaker_id: str, recording_id: RecordingId) -> None:
        fact = SampleReady(at=utc_now(), recording_id=recording_id, recipe=recipe(), measures=MEASURES, object_key="c")
        await self._store.apply(SpeakerId(speaker_id), fact)

    async def rejected(self, speaker_id: str, recording_id: RecordingId) -> None:
        message = "4.0 s, 6 s needed; hand in a longer one"
        measured = {"value": 4.0, "limit": 6.0}
        fact = SampleRejected(at=utc_now(), recording_id=recording_id, code="too_short", message=message, **measured)
        await self._store.apply(SpeakerId(speaker_id), fact)


@pytest.fixture
def here(door: aiohttp.ClientSession, store: StatusStore, tmp_path: Path) -> Here:
    return Here(door, store, tmp_path)


async def test_it_is_answered_once_each_recording_is_measured(here: Here) -> None:
    waits = here.enroll("anna", "good.wav", "short.wav", Prefer="wait=30")
    good, short = await here.planned("anna", 2)
    async with asyncio.timeout(_AT_ONCE_S):
        await here.ready("anna", good)
        assert not waits.done()
        await here.rejected("anna", short)
        told = await waits
    assert told["applied"] == "wait=30"
    found, not_found = told["samples"]
    assert (found["state"], found["recipe"]["endS"], found["measures"]["speechS"]) == ("ready", 15.0, 14.0)
    assert (not_found["code"], not_found["message"]) == ("too_short", "4.0 s, 6 s needed; hand in a longer one")
    assert (not_found["value"], not_found["limit"]) == (4.0, 6.0)


async def test_what_others_handed_in_is_not_waited_for(here: Here) -> None:
    await here.enroll("anna", "long.wav")
    (long,) = await here.planned("anna", 1)
    waits = here.enroll("anna", "new.wav", Prefer="wait=30")
    new = next(one for one in await here.planned("anna", 2) if one != long)
    async with asyncio.timeout(_AT_ONCE_S):
        await here.ready("anna", new)
        assert sorted(one["state"] for one in (await waits)["samples"]) == ["planned", "ready"]


async def test_what_need_not_be_measured_is_not_waited_for(here: Here) -> None:
    waits = here.enroll("anna", "spare.wav", Prefer="wait=30")
    await here.planned("anna", 1)
    async with asyncio.timeout(_AT_ONCE_S):
        async with here.door.delete("/v1/speakers/anna") as answer:
            assert answer.status == 202
        assert (await waits)["state"] == "erased"


async def test_time_is_bounded_and_the_answer_is_what_is_known(here: Here) -> None:
    told = await here.enroll("anna", "a.wav", Prefer="respond-async, wait=1")
    assert (told["applied"], told["samples"][0]["state"]) == ("wait=1", "planned")
    assert (await here.enroll("anna", "a.wav", Prefer="wait=soon"))["applied"] is None
    waits = here.enroll("ben", "b.wav", Prefer="wait=86400")
    (recording_id,) = await here.planned("ben", 1)
    await here.ready("ben", recording_id)
    assert (await waits)["applied"] == "wait=30"


async def test_the_same_request_sent_again_gets_the_answer_that_was_given(here: Here) -> None:
    headers = {"Prefer": "wait=30", "Idempotency-Key": "one"}
    waits = here.enroll("anna", "a.wav", **headers)
    (recording_id,) = await here.planned("anna", 1)
    await here.ready("anna", recording_id)
    first = await waits
    again = await here.enroll("anna", "a.wav", **headers)
    assert again == first
    assert again["samples"][0]["state"] == "ready"


async def test_an_upload_waits_too(here: Here) -> None:
    form = aiohttp.FormData()
    form.add_field("speakerId", "anna")
    form.add_field("recording", io.BytesIO(b"RIFF"), filename="a.wav")

    async def upload() -> str:
        async with here.door.post("/v1/enrollments", data=form, headers={"Prefer": "wait=30"}) as answer:
            return str((await answer.json())["samples"][0]["state"])

    waits = asyncio.create_task(upload())
    (recording_id,) = await here.planned("anna", 1)
    await here.ready("anna", recording_id)
    assert await waits == "ready"


async def test_a_door_that_closes_answers_who_waits(settings: Settings, store: StatusStore, tmp_path: Path) -> None:
    async with asyncio.timeout(_AT_ONCE_S), AsyncExitStack() as stack:
        async with front_door(settings) as door:
            url = str(door._base_url)  # noqa: SLF001 -- aiohttp keeps it to itself
            here = Here(await stack.enter_async_context(aiohttp.ClientSession(url)), store, tmp_path)
            waits = here.enroll("anna", "a.wav", Prefer="wait=30")
            await here.planned("anna", 1)
        assert (await waits)["samples"][0]["state"] == "planned"


async def test_who_waits_costs_nothing_while_others_get_on(here: Here, redis: ArqRedis) -> None:
    first = here.enroll("first", "a.wav", Prefer="wait=30")
    await here.ready("first", (await here.planned("first", 1))[0])
    await first  # with it the stream's place is known
    waits = [here.enroll(f"s{number}", "a.wav", Prefer="wait=30") for number in range(100)]
    own = [(await here.planned(f"s{number}", 1))[0] for number in range(100)]
    await here.enroll("zed", *(f"{number}.wav" for number in range(10)))
    before = await _reads(redis)
    for recording_id in await here.planned("zed", 10):
        await here.ready("zed", recording_id)
    assert await _reads(redis) - before < 30  # ten to commit, not a thousand
    assert not any(one.done() for one in waits)
    async with asyncio.timeout(2 * _AT_ONCE_S):
        for number, recording_id in enumerate(own):
            await here.ready(f"s{number}", recording_id)
        assert {(await one)["samples"][0]["state"] for one in waits} == {"ready"}


async def _reads(redis: ArqRedis) -> int:
    """How often a record was read."""
    stats = await redis.info("commandstats")
    return int(stats["cmdstat_hmget"]["calls"])


@pytest.mark.parametrize(
    ("given_", "wait_s"),
    [
        ("wait=10", 10),
        ("respond-async, WAIT = 5; foo=bar", 5),
        ('wait="7"', 7),
        ("wait=3, wait=9", 3),
        ("", None),
        ("wait", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("nowait=4", None),
        ("wait=10s", None),
    ],
)
def test_preferences_are_read_as_rfc_7240_has_them(given_: str, wait_s: int | None) -> None:
    assert wait_of([given_]) == wait_s


@given(st.lists(st.text(max_size=40), max_size=3))
def test_nothing_in_the_header_is_an_error(given_: list[str]) -> None:
    found = wait_of(given_)
    assert found is None or 0 <= found <= 30
