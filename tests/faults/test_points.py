"""`kill -9` at every named point of the line, of the room that passes it and of Valkey under it."""

import asyncio

import pytest

from tests.faults.house import Guest
from tests.support.rooms import Room

POINTS: dict[str, Room] = {
    "intake.stored": "webhook",
    "order.written": "engine",
    "desk.applied": "engine",
    "desk.finished": "engine",
    "delivery.sending": "engine",
    "delivery.sent": "engine",
    "prepare.stored": "worker",
    "prepare.told": "worker",
    "facts.stored": "worker",
}


@pytest.mark.parametrize("point", POINTS)
async def test_a_room_killed_at_a_point_loses_nothing(guest: Guest, point: str) -> None:
    house, room = guest.house, POINTS[point]
    house.points.arm(point, "kill")
    arriving = asyncio.create_task(guest.hand_in())
    assert await house.rooms.ended(room) == -9
    house.rooms.start(room)
    await arriving
    await guest.all_is_well()


@pytest.mark.parametrize("point", POINTS)
async def test_valkey_killed_while_a_room_is_at_a_point_loses_nothing(guest: Guest, point: str) -> None:
    house = guest.house
    house.points.arm(point, "hold")
    arriving = asyncio.create_task(guest.hand_in())
    await house.points.held(point)
    house.valkey.kill()
    house.valkey.start()
    house.points.release(point)
    await arriving
    await guest.all_is_well()
    assert set(house.rooms.running()) == {"engine", "webhook", "worker"}
