"""A batch through every death: no row is lost, none is counted twice, nobody is heard twice."""

import asyncio
from typing import Any

import pytest

from tests.support.house import Guest
from tests.support.waiting import until

_SPEAKERS, _BAD = 3, 2


def is_whole(batch: dict[str, Any]) -> bool:
    rows = {"total": 2 * _SPEAKERS + _BAD, "read": 2 * _SPEAKERS + _BAD, "taken": 2 * _SPEAKERS, "bad": _BAD}
    assert batch["rows"] == rows | {"skipped": 0, "blocked": 0}
    assert (sum(batch["speakers"].values()), batch["calls"] >= 2 * _SPEAKERS) == (_SPEAKERS, True)
    return bool(batch["state"] == "completed_with_errors")


@pytest.mark.parametrize("point", ["feed.taken", "feed.counted"])
async def test_a_worker_killed_while_it_feeds_is_followed(guest: Guest, point: str) -> None:
    house = guest.house
    house.points.arm(point, "kill")
    batch_id = await guest.batch(f"killed {point}", speakers=_SPEAKERS, bad=_BAD)
    assert await house.rooms.ended("worker") == -9
    house.rooms.start("worker")
    assert is_whole(await guest.batch_ended(batch_id))
    await guest.all_is_well()


async def test_valkey_killed_while_a_batch_is_fed_loses_nothing(guest: Guest) -> None:
    house = guest.house
    house.points.arm("feed.taken", "hold")
    batch_id = await guest.batch("valkey", speakers=_SPEAKERS, bad=_BAD)
    await house.points.held("feed.taken")
    house.valkey.kill()
    house.valkey.start()
    house.points.release("feed.taken")
    assert is_whole(await guest.batch_ended(batch_id))
    await guest.all_is_well()


async def test_who_was_held_up_past_the_lease_counts_nothing_twice(guest: Guest) -> None:
    house = guest.house
    house.points.arm("feed.taken", "hold")
    batch_id = await guest.batch("two workers", speakers=_SPEAKERS, bad=_BAD)
    await house.points.held("feed.taken")
    house.rooms.start("worker", "worker-2")
    assert is_whole(await guest.batch_ended(batch_id))
    house.points.release("feed.taken")
    await guest.all_is_well()
    assert house.rooms.stop("worker-2") == 0
    assert is_whole(await guest.batch_ended(batch_id))


async def test_a_single_order_overtakes_a_batch(guest: Guest) -> None:
    """It waits for those of the batch who are under way, not for its rows."""
    async with guest.house.changed("worker", VOXROLL_WORKER_BATCH_SPEAKERS="4"):
        batch_id = await guest.batch("long", speakers=16, bad=0)

        async def is_begun() -> bool:
            return bool((await guest.told(f"/v1/batches/{batch_id}"))["rows"]["read"])

        await until(is_begun)
        await guest.settled(await guest.hand_in())
        rows = (await guest.told(f"/v1/batches/{batch_id}"))["rows"]
        assert rows["read"] < rows["total"] / 2
        await guest.batch_ended(batch_id)
        await guest.all_is_well()


async def test_the_line_stops_in_good_order_while_a_batch_is_fed(guest: Guest) -> None:
    house = guest.house
    batch_id = await guest.batch("stopped", speakers=_SPEAKERS, bad=_BAD)
    assert await asyncio.to_thread(house.rooms.stop, "worker") == 0
    house.mend()
    assert is_whole(await guest.batch_ended(batch_id))
    await guest.all_is_well()
    await until(lambda: "Traceback" not in house.rooms.log("worker"))
