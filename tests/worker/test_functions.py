"""What becomes of a sample whose job can't be done: it is parked with a code, and its neighbours go on."""

import asyncio

import pytest
from arq import Retry
from redis.exceptions import ConnectionError as RedisConnectionError

from config.settings import Settings
from tests.support.workshop import prepared, workshop
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.record import RecordingId, SpeakerId
from worker.enrollment.states import SampleState, sample_state
from worker.enrollment.steps import Submit, next_steps
from worker.functions import attempt, set_aside
from worker.queue.running import NotYet

WHO, ONE, OTHER = SpeakerId("anna"), RecordingId("r1"), RecordingId("r2")


@pytest.mark.parametrize(("function", "args"), [("prepare", (WHO, ONE)), ("submit", (WHO,))])
async def test_a_job_that_ends_the_worker_parks_its_sample(
    settings: Settings, function: str, args: tuple[str, ...]
) -> None:
    async with workshop(settings) as shop:
        await prepared(shop, WHO, ONE)
        await prepared(shop, WHO, OTHER)
        await set_aside(shop, function, args)
        record = (await shop.store.get(WHO)).record
        states = sorted(sample_state(sample) for sample in record.samples)
        assert states == [SampleState.PARKED, SampleState.READY]
        (parked,) = [sample.parked for sample in record.samples if sample.parked]
        assert (parked.code, "defect" in parked.message) == ("poison", True)
        steps = next_steps(record, now=shop.now(), policy=shop.policy)
        assert [type(step) for step in steps] == [Submit]


async def test_what_the_api_can_tell_is_not_parked(settings: Settings) -> None:
    async with workshop(settings) as shop:
        await prepared(shop, WHO, ONE)
        await set_aside(shop, "reconcile", ("1-0",))
        await set_aside(shop, "look_up", (WHO, ONE, "a"))
        assert sample_state((await shop.store.get(WHO)).record.sample(ONE)) is SampleState.READY


async def ended(error: Exception, *, job_try: int = 1, longest_s: float = 5.0) -> object:
    """What becomes of a step that raises."""

    async def step() -> str:
        raise error

    try:
        return await attempt({"job_id": "j", "job_try": job_try}, step, longest_s=longest_s)
    except Retry as retry:
        return type(retry)


async def test_waiting_for_ones_turn_or_for_redis_is_no_try() -> None:
    assert await ended(RetryLaterError("rate_limited", "not now")) is NotYet
    assert await ended(RetryLaterError("object_store_full", "no space")) is NotYet
    assert await ended(RedisConnectionError()) is NotYet
    assert await ended(RetryLaterError("source_unreachable", "no route")) is Retry


async def test_a_defect_is_tried_three_times_and_then_told() -> None:
    defect = ZeroDivisionError()
    assert [await ended(defect, job_try=number) for number in (1, 2, 3)] == [Retry, Retry, defect]


async def test_a_step_that_takes_too_long_is_a_try_and_in_the_end_a_defect() -> None:
    async def hangs() -> str:
        await asyncio.Event().wait()
        return "never"

    with pytest.raises(Retry) as again:
        await attempt({"job_id": "j", "job_try": 1}, hangs, longest_s=0.01)
    assert not isinstance(again.value, NotYet)
    assert isinstance(await attempt({"job_id": "j", "job_try": 3}, hangs, longest_s=0.01), TimeoutError)
