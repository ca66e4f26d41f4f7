"""Read this first: the life of one sample, from the recording that is handed in to the event that tells of it.

Real Valkey, real engine, real speech. The steps are run by hand here, in the order in which the workshop runs them.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.settings import Settings
from tests.support.line import Line, at_later_time, line
from tests.support.speech import said, wav
from worker.enrollment.record import RecordingId, SpeakerId
from worker.enrollment.steps import LookUp, Prepare, Submit, next_steps
from worker.prepare import prepare
from worker.queue.jobs import queue_name
from worker.reconcile import look_up, reconcile
from worker.store import keys
from worker.submit import submit
from worker.sweep import sweep

WHO = SpeakerId("anna")


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Line]:
    async with line(settings) as one:
        yield one


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Forty seconds of one person, twelve and more of which make a sample."""
    path = tmp_path / "call.wav"
    path.write_bytes(wav(said("1688", seconds=40)))
    return path


async def handed_in(here: Line, recording: Path) -> RecordingId:
    document = await here.hand_in(WHO, recording)
    return RecordingId(document["samples"][0]["recordingId"])


async def prepared(here: Line, recording: Path) -> RecordingId:
    recording_id = await handed_in(here, recording)
    assert await prepare(here.shop, WHO, recording_id, job_try=1) == "ready"
    return recording_id


async def submitted(here: Line, recording: Path) -> RecordingId:
    recording_id = await prepared(here, recording)
    assert await submit(here.shop, WHO) == "accepted"
    return recording_id


async def test_1_a_recording_is_written_down_before_it_is_answered(here: Line, recording: Path) -> None:
    recording_id = await handed_in(here, recording)
    record = await here.record(WHO)
    assert next_steps(record, now=here.shop.now(), policy=here.shop.policy) == (Prepare(recording_id),)
    assert await here.redis.zcard(queue_name(here.settings.account)) == 1


async def test_2_preflight_finds_the_stretch_before_any_call_is_spent(here: Line, recording: Path) -> None:
    recording_id = await prepared(here, recording)
    clip = (await here.record(WHO)).sample(recording_id).clip
    assert clip is not None
    assert 12 <= clip.recipe.end_s - clip.recipe.start_s <= 24
    assert clip.measures.speech_s >= 10
    assert await here.shop.api.enrollment(WHO) is None


async def test_3_a_recording_that_will_not_do_says_why(here: Line, tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    short.write_bytes(wav(said("1688", seconds=4)))
    recording_id = await handed_in(here, short)
    assert await prepare(here.shop, WHO, recording_id, job_try=1) == "too_short"
    (sample,) = (await here.document(WHO))["samples"]
    assert (sample["state"], sample["code"]) == ("rejected", "too_short")
    assert "4.0 s" in sample["message"]
    assert "6 s" in sample["message"]


async def test_4_the_submission_is_written_down_before_the_call(here: Line, recording: Path) -> None:
    recording_id = await submitted(here, recording)
    record = await here.record(WHO)
    attempt = record.sample(recording_id).open_attempt
    assert attempt is not None
    assert attempt.started_at is not None
    assert attempt.accepted_at is not None
    assert attempt.started_at < attempt.accepted_at
    assert [type(step) for step in next_steps(record, now=here.shop.now(), policy=here.shop.policy)] == [LookUp]


async def test_5_the_callback_is_a_fact_once_it_is_reconciled(here: Line, recording: Path) -> None:
    await submitted(here, recording)
    (callback_id,) = await here.callbacks()
    assert await reconcile(here.shop, callback_id) == "applied"
    document = await here.document(WHO)
    assert document["enrollmentComplete"]
    assert document["totalSpeechDuration"] >= 12
    assert document["samples"][0]["attempts"][0]["via"] == "callback"


async def test_6_the_same_callback_twice_is_no_news(here: Line, recording: Path) -> None:
    await submitted(here, recording)
    (callback_id,) = await here.callbacks()
    await reconcile(here.shop, callback_id)
    once = await here.shop.store.get(WHO)
    await reconcile(here.shop, callback_id)
    assert await here.shop.store.get(WHO) == once


async def test_7_a_callback_that_never_comes_is_asked_for(here: Line, recording: Path) -> None:
    recording_id = await submitted(here, recording)
    await here.callbacks()  # it came, but its job is lost: only the sweep is left
    later = at_later_time(here, seconds=121)
    await here.redis.delete(queue_name(here.settings.account))
    assert await sweep(later.shop) == "1 looked at"
    (job_id,) = await here.redis.zrange(queue_name(here.settings.account), 0, -1)
    assert b"look_up" in job_id
    attempt = (await here.record(WHO)).sample(recording_id).open_attempt
    assert attempt is not None
    assert await look_up(later.shop, WHO, recording_id, attempt.attempt_id) == "answered"
    assert (await here.document(WHO))["samples"][0]["attempts"][0]["via"] == "lookup"


async def test_8_a_second_sample_adds_to_the_enrollment(here: Line, recording: Path, tmp_path: Path) -> None:
    recording.write_bytes(wav(said("1688", seconds=8)))
    await submitted(here, recording)
    (first,) = await here.callbacks()
    await reconcile(here.shop, first)
    assert not (await here.document(WHO))["enrollmentComplete"]
    more = tmp_path / "more.wav"
    more.write_bytes(wav(said("1688", seconds=9, skip=5)))
    document = await here.hand_in(WHO, more)
    new = RecordingId(document["samples"][-1]["recordingId"])
    await prepare(here.shop, WHO, new, job_try=1)
    assert await submit(here.shop, WHO) == "accepted"
    for callback_id in await here.callbacks(2):
        await reconcile(here.shop, callback_id)
    grown = await here.document(WHO)
    assert grown["enrollmentComplete"]
    assert [sample["state"] for sample in grown["samples"]] == ["applied", "applied"]
    heard = sum(sample["measures"]["durationS"] for sample in grown["samples"])
    assert grown["totalEnrollDuration"] == pytest.approx(heard, abs=0.1)


async def test_9_a_met_goal_spends_no_more_calls(here: Line, recording: Path, tmp_path: Path) -> None:
    body = {"speakerId": WHO, "goal": {"quality": "Poor"}, "recordings": [{"source": str(recording)}]}
    async with here.door.post("/v1/enrollments", json=body) as answer:
        recording_id = RecordingId((await answer.json())["samples"][0]["recordingId"])
    await prepare(here.shop, WHO, recording_id, job_try=1)
    await submit(here.shop, WHO)
    (callback_id,) = await here.callbacks()
    await reconcile(here.shop, callback_id)
    spare = tmp_path / "spare.wav"
    spare.write_bytes(wav(said("1688", seconds=15, skip=5)))
    body["recordings"] = [{"source": str(spare)}]
    async with here.door.post("/v1/enrollments", json=body) as answer:
        document = await answer.json()
    assert document["settled"]
    assert document["samples"][-1]["state"] == "spare"
    assert not any(
        isinstance(step, Submit)
        for step in next_steps(await here.record(WHO), now=here.shop.now(), policy=here.shop.policy)
    )


async def test_10_every_change_is_told_once_and_in_order(here: Line, recording: Path) -> None:
    await submitted(here, recording)
    (callback_id,) = await here.callbacks()
    for _ in range(2):
        await reconcile(here.shop, callback_id)
    stream = await here.redis.xrange(keys.events(here.settings.account))
    told = [json.loads(fields[b"event"])["type"] for _, fields in stream]
    assert told == [
        "sample.ready",
        "enrollment.started",
        "sample.applied",
        "enrollment.improved",
        "enrollment.completed",
        "enrollment.settled",
    ]
