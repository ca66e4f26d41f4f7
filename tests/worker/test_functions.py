"""What becomes of a sample whose job can't be done: it is parked with a code, and its neighbours go on."""

import pytest

from config.settings import Settings
from tests.support.workshop import prepared, workshop
from worker.enrollment.record import RecordingId, SpeakerId
from worker.enrollment.states import SampleState, sample_state
from worker.enrollment.steps import Submit, next_steps
from worker.functions import set_aside

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
