"""Shortlists by HTTP: asked for, made by a job, told without those who may not be named, forgotten."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.lives import START
from tests.support.speech import said, speakers, wav
from worker import functions
from worker.enrollment.facts import BatchJoined, EnrollmentSeen, SpeakerErased
from worker.enrollment.record import Enrollment, Quality, SpeakerId
from worker.furnishing import opened
from worker.queue import jobs
from worker.queue.jobs import Queue
from worker.store import keys
from worker.store.shortlists import Shortlist, Shortlists
from worker.store.status import StatusStore


async def asked(door: aiohttp.ClientSession, recording: object, **more: object) -> tuple[int, dict[str, Any]]:
    async with door.post("/v1/shortlists", json={"recording": str(recording), **more}) as answer:
        return answer.status, await answer.json(content_type=None)


async def told(door: aiohttp.ClientSession, shortlist_id: str, **query: str) -> dict[str, Any]:
    async with door.get(f"/v1/shortlists/{shortlist_id}", params=query) as answer:
        document: dict[str, Any] = await answer.json(content_type=None)
        return document


async def enrolled(store: StatusStore, name: str, *more: Any, quality: Quality = Quality.HIGH) -> SpeakerId:
    status = Enrollment(audio_s=30, speech_s=28, complete=True, quality=quality)
    await store.apply(SpeakerId(name), EnrollmentSeen(at=START, enrollment=status), *more)
    return SpeakerId(name)


async def test_who_may_not_be_named_is_left_out_and_the_order_stays(
    door: aiohttp.ClientSession, store: StatusStore, redis: ArqRedis, settings: Settings, tmp_path: Path
) -> None:
    recording = tmp_path / "call.wav"
    recording.write_bytes(b"RIFF")
    status, made = await asked(door, recording)
    assert (status, made["state"], made["speakerIds"]) == (202, "working", [])
    assert await asked(door, recording) == (202, made)
    queued = jobs.shortlist(settings.account, made["shortlistId"], "", None)
    assert await Queue(redis, account=settings.account).holds(queued)
    assert (await asked(door, recording, channel=1))[1]["shortlistId"] != made["shortlistId"]
    ids = [
        await enrolled(store, "dora", quality=Quality.POOR),
        await enrolled(store, "erased", SpeakerErased(at=START)),
        await enrolled(store, "anna", BatchJoined(at=START, batch="night")),
        SpeakerId("nobody"),
        await enrolled(store, "ben"),
    ]
    shortlists = Shortlists(redis, account=settings.account)
    await shortlists.put(made["shortlistId"], Shortlist(speaker_ids=tuple(ids), voices=2))
    status, done = await asked(door, recording)
    assert (status, done["state"], done["voices"]) == (200, "done", 2)
    assert done["speakerIds"] == ["dora", "anna", "ben"]
    name = made["shortlistId"]
    assert (await told(door, name, minQuality="Good", limit="1"))["speakerIds"] == ["anna"]
    assert (await told(door, name, batch="night"))["speakerIds"] == ["anna"]
    assert (await told(door, name, limit="0"))["code"] == "invalid_request"
    assert 0 < await redis.ttl(keys.shortlist(settings.account, name)) <= 600


async def test_what_will_not_do_is_refused(door: aiohttp.ClientSession, tmp_path: Path) -> None:
    assert (await asked(door, tmp_path / "gone.wav"))[1]["code"] == "not_found"
    assert (await asked(door, "s3://elsewhere/call.wav"))[1]["code"] == "forbidden_source"
    assert (await asked(door, "call.wav"))[1]["code"] == "unreadable_source"
    assert (await asked(door, tmp_path, colour="red"))[1]["code"] == "invalid_request"
    assert (await told(door, "sl_0"))["code"] == "shortlist_unknown"


@pytest.mark.parametrize(("content", "code"), [(b"no sound", "not_audio"), (b"", "empty"), (None, None)])
async def test_a_worker_makes_it_or_says_why_not_and_it_may_be_asked_for_again(
    door: aiohttp.ClientSession, settings: Settings, tmp_path: Path, content: bytes | None, code: str | None
) -> None:
    recording = tmp_path / "call.wav"
    recording.write_bytes(wav(said(min(speakers()), seconds=8)) if content is None else content)
    _, made = await asked(door, recording)
    async with opened(settings) as (shop, redis):
        source = f"{recording.as_uri()}"
        ctx = {"shop": shop, "job_id": "j", "job_try": 1}
        await functions.shortlist(ctx, made["shortlistId"], source, "")
        found = await told(door, made["shortlistId"])
        assert (found["state"], found["code"]) == ("failed" if code else "done", code)
        assert (found["voices"], found["speakerIds"]) == (0 if code else 1, [])
        await redis.delete(f"arq:job:{jobs.shortlist(settings.account, made['shortlistId'], '', None).job_id}")
    status, again = await asked(door, recording)
    assert (status, again["state"]) == ((202, "working") if code else (200, "done"))
