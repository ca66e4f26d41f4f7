"""Two workers with one job: one is frozen past its lease, the other takes over, the first wakes up and goes on."""

import asyncio
from typing import Any

import pytest

from tests.support.house import Guest
from tests.support.waiting import until


def told(document: dict[str, Any]) -> tuple[Any, ...]:
    """What counts of a speaker; when exactly a call was accepted may be learned later."""
    samples = [(sample["state"], len(sample["attempts"])) for sample in document["samples"]]
    return (document["state"], document["totalEnrollDuration"], samples)


@pytest.mark.parametrize("point", ["prepare.stored", "submit.started", "submit.called", "reconcile.read"])
async def test_what_a_worker_does_after_its_lease_changes_nothing(guest: Guest, point: str) -> None:
    house = guest.house
    house.points.arm(point, "hold")
    arriving = asyncio.create_task(guest.hand_in())
    await house.points.held(point)
    house.rooms.start("worker", "worker-2")
    await arriving
    (before,) = await guest.all_is_well()
    begin, job = len(house.rooms.log("worker")), f":{point.partition('.')[0]}:"
    house.points.release(point)
    await until(lambda: job in house.rooms.log("worker")[begin:])  # done, or cancelled as superseded
    (after,) = await guest.all_is_well()
    assert told(after) == told(before)
    assert house.rooms.stop("worker-2") == 0
