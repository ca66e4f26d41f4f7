"""One submission at a time per speaker, written down before it is made, and only with leave for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from arq.connections import ArqRedis
from arq.worker import func

from config import points
from config.settings import Settings
from tests.support.provider import Provider
from tests.support.serving import serving
from tests.support.workshop import prepared, workshop
from worker import functions
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import GoalSet
from worker.enrollment.record import Goal, Quality, Record, RecordingId, SpeakerId, Verb
from worker.enrollment.states import SampleState, sample_state
from worker.enrollment.steps import LookUp, next_steps
from worker.queue.leasing import LeasingWorker
from worker.store import keys
from worker.submit import submit
from worker.workshop import Workshop

WHO, FIRST, SECOND = SpeakerId("anna"), RecordingId("r1"), RecordingId("r2")


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def shop(settings: Settings, provider: Provider) -> AsyncIterator[Workshop]:
    async with serving(provider.app()) as url:
        api = settings.api.model_copy(update={"base_url": url})
        async with workshop(settings.model_copy(update={"api": api})) as one:
            yield one


async def record_of(shop: Workshop, speaker_id: SpeakerId = WHO) -> Record:
    return (await shop.store.get(speaker_id)).record


def later(shop: Workshop, *, seconds: float) -> Workshop:
    """The same workshop at a later time."""
    now = shop.now
    return replace(shop, now=lambda: now() + timedelta(seconds=seconds))


async def test_a_speaker_whom_others_enrolled_is_looked_at_before_anything_is_added(
    shop: Workshop, provider: Provider
) -> None:
    provider.enrolled[WHO] += [b"foreign", b"too"]
    await prepared(shop, WHO, FIRST)
    assert await submit(shop, WHO) == "notapplied"
    with pytest.raises(RetryLaterError):
        await submit(shop, WHO)  # the pause after an attempt
    assert (await record_of(shop)).enrollment is None
    assert await submit(later(shop, seconds=3), WHO) == "accepted"
    attempts = (await record_of(shop)).sample(FIRST).attempts
    assert [(one.verb, one.before_s) for one in attempts] == [(Verb.POST, 0.0), (Verb.PATCH, 30.0)]


async def test_a_goal_that_others_met_costs_one_look(shop: Workshop, provider: Provider) -> None:
    provider.enrolled[WHO].append(b"foreign")
    await shop.store.apply(WHO, GoalSet(at=shop.now(), goal=Goal(quality=Quality.POOR)))
    await prepared(shop, WHO, FIRST)
    await submit(shop, WHO)
    assert await submit(later(shop, seconds=3), WHO) == "no_news"
    record = await record_of(shop)
    assert len(record.sample(FIRST).attempts) == 1
    assert next_steps(record, now=shop.now(), policy=shop.policy) == ()


async def test_who_has_no_leave_has_written_nothing(settings: Settings, provider: Provider) -> None:
    async with serving(provider.app()) as url:
        limit = settings.api.model_copy(update={"base_url": url, "calls": 1})
        async with workshop(settings.model_copy(update={"api": limit})) as shop:
            await prepared(shop, WHO, FIRST)
            await prepared(shop, SpeakerId("berta"), FIRST)
            assert await submit(shop, WHO) == "accepted"
            with pytest.raises(RetryLaterError) as postponed:
                await submit(shop, SpeakerId("berta"))
            assert postponed.value.code == "rate_limited"
            assert postponed.value.after > timedelta(seconds=50)
            assert (await record_of(shop, SpeakerId("berta"))).sample(FIRST).attempts == ()


async def test_the_points_lie_between_what_is_written_and_what_is_called(
    shop: Workshop, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = list[tuple[str, int]]()

    def note(_folder: Path, name: str) -> None:
        passed.append((name, len(provider.orders)))

    await prepared(shop, WHO, FIRST)
    monkeypatch.setattr(points, "_FOLDER", "armed")
    monkeypatch.setattr(points, "_pass", note)
    await submit(shop, WHO)
    ours = [one for one in passed if one[0].startswith("submit.")]
    assert ours == [("submit.started", 0), ("submit.called", 1), ("submit.told", 1)]


async def test_a_clip_that_is_gone_sets_the_sample_aside_without_a_call(shop: Workshop, provider: Provider) -> None:
    await prepared(shop, WHO, FIRST)
    await shop.objects.forget("clips")
    assert await submit(shop, WHO) == "clip_lost"
    assert sample_state((await record_of(shop)).sample(FIRST)) is SampleState.PARKED
    assert provider.orders == []


class Slow:
    """An API that answers at once, but one speaker never."""

    def __init__(self, never: str) -> None:
        self._never = never
        self.asked = list[str]()
        self.hangs, self.over = asyncio.Event(), asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/restapi/oauth/token", self._token)
        app.router.add_route("*", "/ai/audio/v1/enrollments", self._submit)
        app.router.add_route("*", "/ai/audio/v1/enrollments/{speaker_id}", self._submit)
        return app

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 3600, "scope": "AI"})

    async def _submit(self, request: web.Request) -> web.Response:
        speaker_id = request.match_info.get("speaker_id") or (await request.json())["speakerId"]
        self.asked.append(speaker_id)
        if speaker_id == self._never:
            self.hangs.set()
            await self.over.wait()
        heard = 15.0 * self.asked.count(speaker_id)
        status = {"enrollmentComplete": True, "totalSpeechDuration": heard, "totalEnrollDuration": heard}
        return web.json_response({"speakerId": speaker_id, **status}, status=201)


async def test_a_speaker_whose_call_hangs_blocks_nobody_and_has_one_call_only(
    settings: Settings, redis: ArqRedis
) -> None:
    slow, others = Slow(WHO), [SpeakerId(f"s{number}") for number in range(20)]
    async with serving(slow.app()) as url:
        api = settings.api.model_copy(update={"base_url": url, "callbacks": False})
        async with workshop(settings.model_copy(update={"api": api})) as shop:
            for speaker_id in (WHO, *others):
                for recording_id in (FIRST, SECOND):
                    await prepared(shop, speaker_id, recording_id)
            stop = asyncio.Event()
            options: dict[str, Any] = {"queue_name": shop.queue.name, "redis_pool": redis, "ctx": {"shop": shop}}
            lease = timedelta(seconds=30)
            worker = LeasingWorker([func(functions.submit)], lease=lease, stop=stop, drain=timedelta(), **options)
            running = asyncio.ensure_future(worker.main())
            await asyncio.wait_for(slow.hangs.wait(), 30)
            assert await told(redis, settings, "sample.applied", times=40) == set(others)
            stop.set()
            await running
            slow.over.set()
            assert slow.asked.count(WHO) == 1
            (step,) = next_steps(await record_of(shop), now=shop.now(), policy=shop.policy)
            assert isinstance(step, LookUp)


async def told(redis: ArqRedis, settings: Settings, event: str, *, times: int) -> set[str]:
    """Wait on the event stream until `event` was told so often; returns of whom."""
    last, speakers = b"0", list[str]()
    async with asyncio.timeout(30):
        while len(speakers) < times:
            for _, entries in await redis.xread({keys.events(settings.account): last}, block=1000):
                last = entries[-1][0]
                documents = [json.loads(fields[b"event"]) for _, fields in entries]
                speakers += [one["speakerId"] for one in documents if one["type"] == event]
    return set(speakers)
