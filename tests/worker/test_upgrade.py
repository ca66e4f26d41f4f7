"""A process of before beside newer ones: what they wrote is shown as far as it is known, and never written over."""

import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import front_door
from tests.support.lives import START
from tests.support.provider import Provider
from tests.support.serving import serving
from tests.support.workshop import prepared, workshop
from worker import functions
from worker.enrollment.errors import RecordNewerError
from worker.enrollment.facts import GoalSet
from worker.enrollment.record import Goal, RecordingId, SpeakerId
from worker.enrollment.states import SampleState, sample_state
from worker.queue.running import NotYet
from worker.store import keys
from worker.store.codec import packed
from worker.store.fields import read_fields
from worker.submit import submit
from worker.sweep import sweep
from worker.workshop import Workshop

WHO, OTHER, SAMPLE = SpeakerId("anna"), SpeakerId("ben"), RecordingId("r1")


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Workshop]:
    async with serving(Provider().app()) as url:
        api = settings.api.model_copy(update={"base_url": url})
        async with workshop(settings.model_copy(update={"api": api})) as one:
            yield one


async def made_newer(redis: ArqRedis, shop: Workshop, speaker_id: SpeakerId, *, deep: bool = False) -> bytes:
    """Have the record say what nobody here knows; how it is kept then."""
    told = json.loads(zlib.decompress(packed((await shop.store.get(speaker_id)).record)))
    (told["samples"][0]["prepared"]["measures"] if deep else told)["invented_in_2031"] = [1]
    blob = zlib.compress(json.dumps(told).encode())
    await redis.hset(keys.speaker(shop.settings.account, speaker_id), "record", blob)  # type: ignore[misc, arg-type]
    return blob


async def kept(redis: ArqRedis, shop: Workshop, speaker_id: SpeakerId) -> bytes | None:
    (blob,) = await read_fields(redis, keys.speaker(shop.settings.account, speaker_id), "record")
    return blob


@pytest.mark.parametrize("deep", [False, True])
async def test_what_is_newer_is_read_and_not_written(redis: ArqRedis, shop: Workshop, *, deep: bool) -> None:
    await prepared(shop, WHO, SAMPLE)
    blob = await made_newer(redis, shop, WHO, deep=deep)
    stored = await shop.store.get(WHO)
    assert sample_state(stored.record.sample(SAMPLE)) is SampleState.READY
    assert list(await shop.store.many([WHO])) == [WHO]
    with pytest.raises(RecordNewerError, match=r"anna .* upgrade this process too"):
        await shop.store.apply(WHO, GoalSet(at=START, goal=Goal(samples=2)))
    assert await kept(redis, shop, WHO) == blob


async def test_its_job_waits_for_a_newer_worker_and_no_call_is_made(redis: ArqRedis, shop: Workshop) -> None:
    await prepared(shop, WHO, SAMPLE)
    blob = await made_newer(redis, shop, WHO)
    with pytest.raises(NotYet) as again:  # no try, however long it takes
        await functions.submit({"shop": shop, "job_id": "j", "job_try": 1}, WHO)
    assert again.value.defer_score == timedelta(minutes=1).total_seconds() * 1000
    assert await kept(redis, shop, WHO) == blob


async def test_the_sweep_goes_on_with_the_others(redis: ArqRedis, shop: Workshop) -> None:
    for speaker_id in (WHO, OTHER):
        await prepared(shop, speaker_id, SAMPLE)
        await submit(shop, speaker_id)
    blob = await made_newer(redis, shop, WHO)
    now = shop.now
    await sweep(replace(shop, now=lambda: now() + timedelta(hours=25)))  # both are to be given up
    assert await kept(redis, shop, WHO) == blob
    assert sample_state((await shop.store.get(OTHER)).record.sample(SAMPLE)) is SampleState.PARKED


async def test_the_front_door_shows_it_and_asks_to_come_back_for_the_rest(redis: ArqRedis, shop: Workshop) -> None:
    await prepared(shop, WHO, SAMPLE)
    blob = await made_newer(redis, shop, WHO)
    async with front_door(shop.settings) as door:
        async with door.get(f"/v1/speakers/{WHO}") as answer:
            assert (answer.status, (await answer.json())["samples"][0]["state"]) == (200, "ready")
        async with door.delete(f"/v1/speakers/{WHO}") as answer:
            problem = await answer.json(content_type=None)
            assert (answer.status, problem["code"]) == (503, "record_newer")
            assert answer.headers["Retry-After"]
    assert await kept(redis, shop, WHO) == blob
