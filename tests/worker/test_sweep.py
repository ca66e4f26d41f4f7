"""The sweep queues what is due: many look-ups become one list, a few are made one by one, and waiting costs little."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.lives import START
from tests.support.provider import Provider
from tests.support.serving import serving
from tests.support.workshop import prepared, workshop
from worker.api.governor import Turn
from worker.enrollment.record import Attempt, AttemptId, Record, RecordingId, Sample, SpeakerId
from worker.enrollment.steps import Policy
from worker.reconcile import look_through
from worker.submit import submit
from worker.sweep import next_look, sweep
from worker.workshop import Workshop

SAMPLE = RecordingId("r1")
MANY = [SpeakerId(f"s{number}") for number in range(4)]


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def shop(settings: Settings, provider: Provider) -> AsyncIterator[Workshop]:
    async with serving(provider.app()) as url:
        api = settings.api.model_copy(update={"base_url": url})
        async with workshop(settings.model_copy(update={"api": api})) as one:
            yield one


def later(shop: Workshop, **length: float) -> Workshop:
    """The same workshop at a later time."""
    now = shop.now
    return replace(shop, now=lambda: now() + timedelta(**length))


async def submitted(shop: Workshop, *speakers: SpeakerId) -> None:
    for speaker_id in speakers:
        await prepared(shop, speaker_id, SAMPLE)
        await submit(shop, speaker_id)


async def queued(shop: Workshop, redis: ArqRedis, *, after: Workshop | None = None) -> list[str]:
    """What the sweep queues, by function, after all that was queued before is gone."""
    await redis.delete(shop.queue.name)
    await sweep(after or shop)
    members = await redis.zrange(shop.queue.name, 0, -1)
    return sorted(member.decode().split(":")[1] for member in members)


async def test_one_overdue_attempt_is_looked_up_by_itself(shop: Workshop, redis: ArqRedis) -> None:
    await submitted(shop, MANY[0])
    assert await queued(shop, redis, after=later(shop, minutes=3)) == ["look_up"]


async def test_many_overdue_attempts_are_looked_for_in_the_list(shop: Workshop, redis: ArqRedis) -> None:
    await submitted(shop, *MANY)
    assert await queued(shop, redis, after=later(shop, minutes=3)) == ["look_through"]


async def test_what_the_list_did_not_tell_is_asked_one_by_one(
    shop: Workshop, provider: Provider, redis: ArqRedis
) -> None:
    await submitted(shop, *MANY)
    provider.work(0)
    provider.work(0)
    first = later(shop, minutes=3)
    assert await queued(shop, redis, after=first) == ["look_through"]
    assert await look_through(first, 1, worth=4, turn=Turn.FINISH) == "2 settled"
    assert await queued(shop, redis, after=later(shop, minutes=3.5)) == []
    assert await queued(shop, redis, after=later(shop, minutes=5)) == ["look_up", "look_up"]


@pytest.mark.parametrize(("calls", "expected"), [(10, ["look_through"]), (0, [])])
async def test_a_limited_budget_is_not_left_idle(
    shop: Workshop, redis: ArqRedis, calls: int, expected: list[str]
) -> None:
    await submitted(shop, *MANY)
    api = shop.settings.api.model_copy(update={"calls": calls})
    limited = replace(shop, settings=shop.settings.model_copy(update={"api": api}))
    assert await queued(limited, redis) == expected


async def test_a_lost_job_is_queued_again(shop: Workshop, redis: ArqRedis) -> None:
    await prepared(shop, MANY[0], SAMPLE)
    assert await queued(shop, redis, after=later(shop, seconds=30)) == []
    assert await queued(shop, redis, after=later(shop, seconds=90)) == ["submit"]


POLICY = Policy()
WAITING = Record(speaker_id=MANY[0], samples=(Sample(recording_id=SAMPLE, planned_at=START),))


@pytest.mark.parametrize(
    ("waited", "pause"),
    [
        (timedelta(), timedelta(minutes=1)),
        (timedelta(minutes=1), timedelta(minutes=1)),
        (timedelta(minutes=10), timedelta(minutes=5)),
        (timedelta(days=3), timedelta(minutes=15)),
    ],
)
def test_who_waits_for_long_is_looked_at_ever_more_seldom(waited: timedelta, pause: timedelta) -> None:
    now = START + waited
    assert next_look(WAITING, now=now, policy=POLICY) == now + pause


def test_an_open_attempt_is_looked_at_when_it_is_due_however_long_the_speaker_waits() -> None:
    attempt = Attempt(attempt_id=AttemptId("a"), started_at=START)
    record = replace(WAITING, samples=(replace(WAITING.samples[0], attempts=(attempt,)),))
    now = START + timedelta(minutes=5)
    assert next_look(record, now=now, policy=POLICY) == START + timedelta(minutes=8)


def test_a_settled_speaker_is_not_looked_at() -> None:
    assert next_look(Record(speaker_id=MANY[0]), now=START, policy=POLICY) is None
