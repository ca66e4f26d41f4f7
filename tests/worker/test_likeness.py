"""Who is it: a stranger's sample is held for a person, a copy is declined, one voice under two ids is told.

Real speech, the real engine, the real door; the steps are run by hand.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from arq.worker import func

from config.settings import Settings
from engine.voice.likeness import KnownVoice, make, to_bytes
from engine.voice.recording import narrowed
from tests.support.encoding import encoded
from tests.support.line import Line, at_later_time, line
from tests.support.speech import Samples, said, wav
from tests.support.waiting import until
from worker import functions
from worker.api.client import EnrollmentApi
from worker.api.governor import Turn
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import Answered
from worker.enrollment.record import AttemptOutcome, RecordingId, Sample, SpeakerId, Via
from worker.gallery import Entry
from worker.likeness import known_voice
from worker.prepare import prepare
from worker.queue.jobs import queue_name
from worker.queue.leasing import LeasingWorker
from worker.store import keys
from worker.store.codec import packed
from worker.submit import submit
from worker.sweep import sweep
from worker.unenroll import unenroll

ANNA, BEN = SpeakerId("anna"), SpeakerId("ben")
ONE, OTHER = "1688", "2033"  # readers


@dataclass
class Calls:
    """Hands recordings in, has them prepared, and submitted; the API answers each call at once."""

    here: Line
    folder: Path

    async def prepared(self, who: SpeakerId, name: str, audio: Samples | bytes) -> tuple[RecordingId, str]:
        path = self.folder / f"{who}-{name}"
        path.write_bytes(audio if isinstance(audio, bytes) else wav(audio))
        known = {sample.recording_id for sample in (await self.here.record(who)).samples}
        document = await self.here.hand_in(who, path)
        (what,) = {RecordingId(sample["recordingId"]) for sample in document["samples"]} - known
        return what, await prepare(self.here.shop, who, what, job_try=1)

    async def submitted(self, who: SpeakerId, name: str, audio: Samples | bytes) -> tuple[RecordingId, str]:
        what, outcome = await self.prepared(who, name, audio)
        assert outcome == "ready"
        return what, await submit(self.here.shop, who)

    async def sample(self, who: SpeakerId, what: RecordingId) -> dict[str, Any]:
        samples: list[dict[str, Any]] = (await self.here.document(who))["samples"]
        return next(one for one in samples if one["recordingId"] == what)

    async def known(self, who: SpeakerId) -> KnownVoice | None:
        record = await self.here.record(who)
        return await known_voice(self.here.shop, record, Sample(recording_id=RecordingId("next")))

    async def decide(self, who: SpeakerId, what: str, decision: str) -> tuple[int, dict[str, Any]]:
        async with self.here.door.post(f"/v1/speakers/{who}/recordings/{what}/{decision}") as answer:
            return answer.status, await answer.json(content_type=None)

    async def told(self, name: str) -> list[dict[str, Any]]:
        stream = await self.here.redis.xrange(keys.events(self.here.settings.account))
        return [event for _, fields in stream if (event := json.loads(fields[b"event"]))["type"] == name]


@pytest.fixture
async def calls(settings: Settings, tmp_path: Path) -> AsyncIterator[Calls]:
    api = settings.api.model_copy(update={"callbacks": False})
    async with line(settings.model_copy(update={"api": api})) as here:
        (tmp_path / "calls").mkdir()
        yield Calls(here, tmp_path / "calls")


def with_policy(calls: Calls, policy: str) -> Calls:
    """The same, with another answer to one voice under two ids."""
    settings = calls.here.shop.settings
    worker = settings.worker.model_copy(update={"same_voice": policy})
    shop = replace(calls.here.shop, settings=settings.model_copy(update={"worker": worker}))
    return replace(calls, here=replace(calls.here, shop=shop))


async def test_a_stranger_under_ones_id_is_held_and_others_go_on(calls: Calls) -> None:
    assert (await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9)))[1] == "applied"
    stranger, outcome = await calls.submitted(ANNA, "2.wav", said(OTHER, seconds=14))
    assert outcome == "different_voice"
    document, sample = await calls.here.document(ANNA), await calls.sample(ANNA, stranger)
    assert (sample["state"], sample["code"], sample["attempts"]) == ("held", "different_voice", [])
    assert document["settled"]
    assert f"`voxroll accept anna {stranger}`" in document["next"]
    assert [event["code"] for event in await calls.told("sample.held")] == ["different_voice"]
    assert (await calls.submitted(ANNA, "3.wav", said(ONE, seconds=9, skip=5)))[1] == "applied"
    assert await submit(calls.here.shop, ANNA) == "no_news"
    assert (await calls.sample(ANNA, stranger))["state"] == "held"


async def test_the_next_sample_goes_out_right_after_one_is_held(calls: Calls) -> None:
    here, stop = calls.here, asyncio.Event()
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=7))
    await calls.prepared(ANNA, "2.wav", said(OTHER, seconds=14))  # the most speech: its turn comes first
    own, _ = await calls.prepared(ANNA, "3.wav", said(ONE, seconds=9, skip=5))
    await here.redis.delete(here.shop.queue.name)
    await here.shop.go_on(await here.record(ANNA))
    worker = LeasingWorker(
        [func(functions.submit)],
        lease=timedelta(seconds=30),
        stop=stop,
        queue_name=here.shop.queue.name,
        redis_pool=here.redis,
        ctx={"shop": here.shop},
    )
    running = asyncio.ensure_future(worker.main())

    async def is_applied() -> bool:
        return bool((await calls.sample(ANNA, own))["state"] == "applied")

    await until(is_applied, within_s=20)  # no sweep runs here: what is not queued at once never comes
    stop.set()
    await running
    assert len(await calls.told("sample.held")) == 1


async def test_a_person_decides_once_or_twice_and_may_change_their_mind(calls: Calls) -> None:
    first, _ = await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    stranger, _ = await calls.submitted(ANNA, "2.wav", said(OTHER, seconds=9))
    for _ in range(2):
        status, document = await calls.decide(ANNA, stranger, "reject")
        assert (status, document["samples"][1]["state"]) == (202, "rejected")
    assert document["samples"][1]["code"] == "different_voice"
    assert await submit(calls.here.shop, ANNA) == "no_news"
    once = await calls.decide(ANNA, stranger, "accept")
    assert once[1]["samples"][1]["state"] == "ready"
    assert (await calls.decide(ANNA, stranger, "accept"))[1]["updatedAt"] == once[1]["updatedAt"]
    assert await submit(calls.here.shop, ANNA) == "applied"
    for what, decision, code in (
        (stranger, "reject", "not_held"),
        (first, "accept", "not_held"),
        ("0" * 16, "accept", "recording_unknown"),
    ):
        assert (await calls.decide(ANNA, what, decision))[1]["code"] == code


async def test_a_released_sample_whose_job_got_lost_is_found(calls: Calls) -> None:
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    stranger, _ = await calls.submitted(ANNA, "2.wav", said(OTHER, seconds=9))
    await calls.decide(ANNA, stranger, "accept")
    queue = queue_name(calls.here.settings.account)
    await calls.here.redis.delete(queue)  # the process ended between store and queue
    await sweep(at_later_time(calls.here, seconds=200).shop)
    assert any(b"submit" in job_id for job_id in await calls.here.redis.zrange(queue, 0, -1))


@pytest.mark.parametrize("kind", ["mp3", "mp3 phone", "opus"])
async def test_the_same_call_in_another_format_is_declined(calls: Calls, kind: str) -> None:
    call = said(ONE, seconds=15)
    assert (await calls.submitted(ANNA, "1.wav", call))[1] == "applied"
    again = np.concatenate([np.zeros(1237, np.float32), call[4000:]])
    copy, outcome = await calls.submitted(ANNA, "2." + kind[:3], encoded(kind, again))
    assert outcome == "duplicate_sample"
    sample = await calls.sample(ANNA, copy)
    assert (sample["state"], sample["attempts"]) == ("rejected", [])
    assert "anna-1.wav" in sample["message"]
    assert "s allowed" in sample["message"]
    assert (await calls.decide(ANNA, copy, "accept"))[1]["code"] == "not_held"


async def test_another_part_of_the_same_call_is_declined(calls: Calls) -> None:
    call = said(ONE, seconds=50)
    first, outcome = await calls.submitted(ANNA, "1.mp3", encoded("mp3 phone", call))  # graded Good: more is wanted
    assert outcome == "applied"
    clip = (await calls.here.record(ANNA)).sample(first).clip
    assert clip is not None
    before, after = call[: round(clip.recipe.start_s * 16000)], call[round(clip.recipe.end_s * 16000) :]
    rest, outcome = await calls.submitted(ANNA, "2.wav", max(before, after, key=len))
    assert outcome == "duplicate_sample"
    assert "anna-1.mp3" in (await calls.sample(ANNA, rest))["message"]


async def test_who_may_not_call_yet_is_judged_again_once_another_sample_counts(calls: Calls) -> None:
    """The prints are changed behind the worker's back: only who looks again sees it."""
    here, shop = calls.here, calls.here.shop
    stranger = to_bytes(make(shop.voice, said(OTHER, seconds=9)))
    names = [(await calls.submitted(ANNA, "1.wav", said(ONE, seconds=6.5)))[0]]
    names += [(await calls.prepared(ANNA, "2.wav", said(ONE, seconds=6.5, skip=5)))[0]]
    async with aiohttp.ClientSession() as http:
        one_call = here.settings.api.model_copy(update={"calls": 1})
        busy = EnrollmentApi.over(here.redis, http, account=here.settings.account, api=one_call)
        await busy.reserve("somebody", turn=Turn.FINISH)
        with pytest.raises(RetryLaterError, match="rate_limited"):
            await submit(replace(shop, api=busy), ANNA)
    for name in names:
        clip = (await here.record(ANNA)).sample(name).clip
        assert clip is not None
        await shop.voices.keep(clip.object_key, stranger)
    assert await submit(shop, ANNA) == "applied"
    assert (await calls.submitted(ANNA, "3.wav", said(ONE, seconds=7, skip=1)))[1] == "different_voice"


async def test_the_same_file_under_another_name_is_rejected(calls: Calls) -> None:
    await calls.prepared(ANNA, "1.wav", said(ONE, seconds=9))
    copy, outcome = await calls.prepared(ANNA, "2.wav", said(ONE, seconds=9))
    assert outcome == "duplicate_recording"
    assert "anna-1.wav" in (await calls.sample(ANNA, copy))["message"]


@pytest.mark.parametrize("band", ["wide", "narrow"])
async def test_one_voice_under_two_ids_is_told_and_goes_on(calls: Calls, band: str) -> None:
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=12))
    second = said(ONE, seconds=12, skip=5)
    what, outcome = await calls.submitted(BEN, "1.wav", narrowed(second) if band == "narrow" else second)
    assert outcome == "applied"
    (event,) = await calls.told("speaker.conflict_suspected")
    assert (event["speakerId"], event["otherSpeakerId"], event["recordingId"]) == (BEN, ANNA, what)
    assert event["score"] > event["threshold"] > 0.4
    assert (await calls.sample(BEN, what))["conflict"] == {
        "speakerId": ANNA,
        "score": event["score"],
        "threshold": event["threshold"],
    }


async def test_one_voice_under_two_ids_is_held_where_that_is_wanted(calls: Calls) -> None:
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    strict = with_policy(calls, "hold")
    what, outcome = await strict.submitted(BEN, "1.wav", said(ONE, seconds=9, skip=5))
    assert outcome == "same_voice_other_id"
    document = await calls.here.document(BEN)
    assert (document["state"], document["settled"]) == ("incomplete", True)
    assert ANNA in document["samples"][0]["message"]
    await calls.decide(BEN, what, "accept")
    assert await submit(strict.here.shop, BEN) == "applied"
    assert len(await calls.told("speaker.conflict_suspected")) == 1


async def test_who_does_not_want_to_know_is_not_told(calls: Calls) -> None:
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    assert (await with_policy(calls, "off").submitted(BEN, "1.wav", said(ONE, seconds=9, skip=5)))[1] == "applied"
    assert await calls.told("speaker.conflict_suspected") == []


async def test_two_strangers_are_no_conflict(calls: Calls) -> None:
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    assert (await calls.submitted(BEN, "1.wav", said(OTHER, seconds=9)))[1] == "applied"
    assert await calls.told("speaker.conflict_suspected") == []


async def test_the_known_voice_is_that_of_the_applied_samples(calls: Calls) -> None:
    assert await calls.known(ANNA) is None
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    await calls.prepared(ANNA, "2.wav", said(ONE, seconds=9, skip=5))
    known = await calls.known(ANNA)
    assert known is not None
    assert (known.samples, known.narrow.shape) == (1, (192,))
    assert known.wide is not None


async def test_nothing_of_a_voice_is_told(calls: Calls) -> None:
    await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    await calls.submitted(ANNA, "2.wav", said(OTHER, seconds=9))
    stream = await calls.here.redis.xrange(keys.events(calls.here.settings.account))
    assert len(packed(await calls.here.record(ANNA))) < 1_500  # a vector alone has 384 bytes and more
    assert all(len(fields[b"event"]) < 400 for _, fields in stream)


async def test_an_answer_that_crosses_an_erasure_leaves_no_voice(calls: Calls) -> None:
    """A worker that had read the record before the erasure puts the voice in after it, and takes it out again."""
    shop, voices = calls.here.shop, keys.voices(calls.here.settings.account)
    what, _ = await calls.submitted(ANNA, "1.wav", said(ONE, seconds=9))
    (attempt,) = (await calls.here.record(ANNA)).sample(what).attempts
    known = await calls.known(ANNA)
    assert known is not None
    async with calls.here.door.delete(f"/v1/speakers/{ANNA}") as answer:
        assert answer.status == 202
    await unenroll(shop, ANNA)
    assert await calls.here.redis.exists(voices) == 0
    await shop.voices.gallery.put(ANNA, Entry.of(shop.voice, known, None))
    same = Answered(
        at=shop.now(),
        recording_id=what,
        attempt_id=attempt.attempt_id,
        outcome=AttemptOutcome.APPLIED,
        via=Via.CALLBACK,
    )
    await shop.tell(ANNA, same)
    assert await calls.here.redis.exists(voices) == 0
