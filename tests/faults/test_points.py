"""`kill -9` at every named point of the line: of the room that is there, of Valkey under it, of two at once."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.house import Guest
from tests.support.rooms import ROOMS, Room

POINTS: dict[str, Room] = {
    "intake.stored": "webhook",
    "callback.verified": "webhook",
    "callback.written": "webhook",
    "order.written": "engine",
    "desk.applied": "engine",
    "desk.finished": "engine",
    "delivery.sending": "engine",
    "delivery.sent": "engine",
    "queue.claimed": "worker",
    "queue.finished": "worker",
    "prepare.stored": "worker",
    "prepare.told": "worker",
    "facts.stored": "worker",
    "submit.started": "worker",
    "submit.called": "worker",
    "submit.told": "worker",
    "reconcile.read": "worker",
    "reconcile.told": "worker",
    "look_up.asked": "worker",
}
BESIDE: list[tuple[str, str]] = [  # killed at a point, and who is killed with it
    ("submit.started", "engine"),
    ("submit.called", "engine"),
    ("reconcile.told", "engine"),
    ("order.written", "worker"),
    ("desk.applied", "webhook"),
    ("delivery.sent", "webhook"),
    ("callback.verified", "engine"),
    ("intake.stored", "valkey"),
    ("callback.verified", "valkey"),
    ("callback.written", "valkey"),
    ("prepare.stored", "valkey"),
    ("facts.stored", "valkey"),
    ("submit.called", "valkey"),
    ("reconcile.told", "valkey"),
]


def test_every_point_of_the_line_is_here() -> None:
    root = Path(__file__).resolve().parents[2]
    code = (path.read_text() for room in (*ROOMS, "config") for path in (root / room).rglob("*.py"))
    named = {name for text in code for name in re.findall(r'\bpoint\("([a-z_.]+)"\)', text)}
    elsewhere = {"intake.erased", "feed.taken", "feed.counted", "undo.stored", "migrate.brought"}
    assert named == {*POINTS, *elsewhere, "renew.begun", "renew.started", "renew.deleted"}


@asynccontextmanager
async def reaching(guest: Guest, point: str) -> AsyncIterator[None]:
    """A world in which samples pass the point: results are looked up where no callback comes."""
    if point != "look_up.asked":
        yield
        return
    async with guest.house.changed("engine", VOXROLL_ENGINE_FAULTS="silent"):
        await guest.ready()
        yield


@pytest.mark.parametrize("point", POINTS)
async def test_a_room_killed_at_a_point_loses_nothing(guest: Guest, point: str) -> None:
    house, room = guest.house, POINTS[point]
    async with reaching(guest, point):
        house.points.arm(point, "kill")
        arriving = asyncio.create_task(guest.hand_in())
        assert await house.rooms.ended(room) == -9
        house.rooms.start(room)
        await arriving
        await guest.all_is_well()


@pytest.mark.parametrize("point", POINTS)
async def test_valkey_killed_while_a_room_is_at_a_point_loses_nothing(guest: Guest, point: str) -> None:
    house = guest.house
    async with reaching(guest, point):
        house.points.arm(point, "hold")
        arriving = asyncio.create_task(guest.hand_in())
        await house.points.held(point)
        house.valkey.kill()
        house.valkey.start()
        house.points.release(point)
        await arriving
        await guest.all_is_well()
        assert sorted(house.rooms.running()) == sorted(ROOMS)


@pytest.mark.parametrize(("point", "other"), BESIDE)
async def test_two_killed_at_once_lose_nothing(guest: Guest, point: str, other: str) -> None:
    house, room = guest.house, POINTS[point]
    house.points.arm(point, "hold")
    arriving = asyncio.create_task(guest.hand_in())
    await house.points.held(point)
    house.rooms.kill(room)
    if other == "valkey":
        house.valkey.kill()
        house.valkey.start()
    else:
        house.rooms.kill(other)
    house.mend()
    await arriving
    await guest.all_is_well()


async def test_all_killed_at_once_lose_nothing(guest: Guest) -> None:
    house = guest.house
    house.points.arm("submit.called", "hold")
    for _ in range(3):
        await guest.hand_in()
    await house.points.held("submit.called")
    for room in ROOMS:
        house.rooms.kill(room)
    house.valkey.kill()
    house.points.clear()
    house.valkey.start()
    house.mend()
    await guest.all_is_well()


async def test_an_erasure_survives_the_door(guest: Guest) -> None:
    house = guest.house
    speaker_id = await guest.hand_in()
    await guest.all_is_well()
    house.points.arm("intake.erased", "kill")
    erasing = asyncio.create_task(guest.erase(speaker_id))
    assert await house.rooms.ended("webhook") == -9
    house.rooms.start("webhook")
    await erasing
    await guest.gone(speaker_id)
