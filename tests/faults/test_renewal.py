"""A batch that replaces others, and one that is rolled back, through every death: deleted once, and nothing is lost."""

import asyncio

import pytest

from tests.support.house import Guest
from tests.support.waiting import until

POINTS = ["renew.begun", "renew.started", "renew.deleted"]


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_while_it_replaces_is_followed(guest: Guest, point: str) -> None:
    house = guest.house
    speaker_id = await guest.hand_in(samples=2)
    before = await guest.settled(speaker_id)
    house.points.arm(point, "kill")
    batch_id = await guest.replace(speaker_id, samples=1)
    assert await house.rooms.ended("worker") == -9
    house.rooms.start("worker")
    await guest.batch_ended(batch_id)
    document = await guest.consists_of(speaker_id, {"applied": 1, "withdrawn": 2})
    assert document["totalEnrollDuration"] < before["totalEnrollDuration"]


async def test_who_was_held_up_past_the_deadline_deletes_nothing_new(guest: Guest) -> None:
    house = guest.house
    speaker_id = await guest.hand_in(samples=2)
    await guest.settled(speaker_id)
    house.points.arm("renew.started", "hold")
    batch_id = await guest.replace(speaker_id, samples=1)
    await house.points.held("renew.started")
    house.rooms.start("worker", "worker-2")
    await guest.batch_ended(batch_id)
    await guest.consists_of(speaker_id, {"applied": 1, "withdrawn": 2})
    begin, log = len(house.rooms.log("worker")), house.rooms.log
    house.points.release("renew.started")  # it finds that somebody else has its job, or how late it is
    await until(lambda: any(word in log("worker")[begin:] for word in ("held_up", "job.superseded")))
    assert house.rooms.stop("worker-2") == 0
    await guest.consists_of(speaker_id, {"applied": 1, "withdrawn": 2})


@pytest.mark.parametrize("point", ["undo.stored", "renew.started", "renew.deleted"])
async def test_a_worker_killed_while_a_batch_is_rolled_back_is_followed(guest: Guest, point: str) -> None:
    house = guest.house
    both = await guest.hand_in(samples=1)
    await guest.settled(both)
    batch_id = await guest.batch("rolled back " + point, speakers=2, bad=0, more={both: 2})
    await guest.batch_ended(batch_id)
    alone = [name for name in await guest.of_batch(batch_id) if name != both]
    house.points.arm(point, "kill")
    await guest.roll_back(batch_id)
    assert await house.rooms.ended("worker") == -9
    house.rooms.start("worker")
    assert (await guest.batch_ended(batch_id, "rolled_back"))["speakers"]["withdrawn"] == len(alone) == 2
    await guest.consists_of(both, {"applied": 1, "withdrawn": 2})
    for name in alone:
        await guest.consists_of(name, {"withdrawn": 2})
        await guest.gone(name)


async def test_valkey_killed_while_an_enrollment_is_deleted_loses_nothing(guest: Guest) -> None:
    house = guest.house
    speaker_id = await guest.hand_in(samples=2)
    await guest.settled(speaker_id)
    house.points.arm("renew.deleted", "hold")
    batch_id = await guest.replace(speaker_id, samples=1)
    await house.points.held("renew.deleted")
    await asyncio.to_thread(house.valkey.kill)
    house.valkey.start()
    house.points.release("renew.deleted")
    await guest.batch_ended(batch_id)
    await guest.consists_of(speaker_id, {"applied": 1, "withdrawn": 2})


@pytest.mark.parametrize("faults", ["flaky", "late=4,silent"])
async def test_a_badly_behaving_engine_is_told_to_delete_and_nothing_new_is_lost(guest: Guest, faults: str) -> None:
    async with guest.house.changed("engine", VOXROLL_ENGINE_FAULTS=faults, VOXROLL_ENGINE_FAULTS_SEED="7"):
        await guest.ready()
        speaker_id = await guest.hand_in(samples=2)
        await guest.settled(speaker_id)
        batch_id = await guest.replace(speaker_id, samples=1)
        await guest.batch_ended(batch_id)
        await guest.roll_back(batch_id)
        await guest.batch_ended(batch_id, "rolled_back")
        await guest.consists_of(speaker_id, {"applied": 2, "withdrawn": 1})
