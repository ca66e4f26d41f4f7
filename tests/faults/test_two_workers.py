"""Two workers with one job: one is frozen past its lease, the other takes over, the first wakes up and goes on."""

import asyncio

import pytest

from tests.support.house import Guest


@pytest.mark.parametrize("point", ["prepare.stored", "facts.stored"])
async def test_what_a_worker_does_after_its_lease_changes_nothing(guest: Guest, point: str) -> None:
    house = guest.house
    house.points.arm(point, "hold")
    arriving = asyncio.create_task(guest.hand_in())
    await house.points.held(point)
    house.rooms.start("worker", "worker-2")
    await arriving
    (before,) = await guest.all_is_well()
    house.points.release(point)
    await house.rooms.logged("worker", "job.superseded")
    assert await guest.all_is_well() == [before]
    assert house.rooms.stop("worker") == 0
    house.rooms.rename("worker-2", "worker")
