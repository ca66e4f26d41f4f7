"""Promise 8: who was erased or has opted out leaves nothing behind, and is never enrolled again by any path."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from config.settings import Settings
from tests.support.line import Line, line
from tests.support.speech import said, wav
from worker.enrollment.record import RecordingId, SpeakerId
from worker.prepare import prepare
from worker.reconcile import reconcile
from worker.store import keys
from worker.submit import submit
from worker.unenroll import unenroll

WHO = SpeakerId("anna")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "call.wav"
    path.write_bytes(wav(said("1688", seconds=9)))
    return path


async def upload(one: Line, recording: Path) -> dict[str, Any]:
    form = aiohttp.FormData()
    form.add_field("speakerId", WHO)
    form.add_field("recording", recording.read_bytes(), filename="call.wav")
    async with one.door.post("/v1/enrollments", data=form) as answer:
        document: dict[str, Any] = await answer.json()
        return document | {"httpStatus": answer.status}


def audio(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "objects").rglob("*") if path.is_file()]


async def erase(one: Line) -> dict[str, Any]:
    async with one.door.delete(f"/v1/speakers/{WHO}") as answer:
        assert answer.status == 202, await answer.text()
        document: dict[str, Any] = await answer.json()
        return document


async def test_an_erased_speaker_leaves_nothing_behind(settings: Settings, recording: Path) -> None:
    async with line(settings) as one:
        what = RecordingId((await upload(one, recording))["samples"][0]["recordingId"])
        await prepare(one.shop, WHO, what, job_try=1)
        await submit(one.shop, WHO)
        await reconcile(one.shop, (await one.callbacks())[0])
        assert len(audio(settings)) == 3  # upload, clip and print
        assert await one.redis.exists(keys.voices(one.settings.account)) == 1
        assert (await one.document(WHO))["samples"][0]["state"] == "applied"

        assert (await erase(one))["state"] == "erased"
        assert await unenroll(one.shop, WHO) == "unenrolled"
        assert audio(settings) == []
        assert await one.redis.exists(keys.voices(one.settings.account)) == 0
        assert await one.shop.api.enrollment(WHO) is None
        known = await one.document(WHO)
        assert (known["settled"], known["enrollmentQuality"]) == (True, None)
        assert str(recording.name) not in str(known)
        assert (await upload(one, recording))["code"] == "speaker_erased"
        assert audio(settings) == []
        assert await submit(one.shop, WHO) == "no_news"


async def test_a_sample_under_way_is_deleted_again(settings: Settings, recording: Path) -> None:
    async with line(settings) as one:
        what = RecordingId((await upload(one, recording))["samples"][0]["recordingId"])
        await prepare(one.shop, WHO, what, job_try=1)
        await submit(one.shop, WHO)
        await erase(one)
        await unenroll(one.shop, WHO)
        callback = (await one.callbacks())[0]
        await reconcile(one.shop, callback)
        if await one.shop.api.enrollment(WHO):  # applied after the deletion
            assert await unenroll(one.shop, WHO) == "unenrolled"
        assert await one.shop.api.enrollment(WHO) is None
        assert await one.redis.exists(keys.voices(one.settings.account)) == 0


async def test_one_who_is_not_known_opts_out_beforehand(settings: Settings, recording: Path) -> None:
    async with line(settings) as one:
        assert (await erase(one))["state"] == "erased"
        refused = await upload(one, recording)
        assert (refused["httpStatus"], refused["code"]) == (410, "speaker_erased")
        assert await unenroll(one.shop, WHO) == "unenrolled"
        assert (await one.document(WHO))["settled"] is True
