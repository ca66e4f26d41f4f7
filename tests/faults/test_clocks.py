"""The wall clock of one room steps by an hour, on or back, in the midst of work: nothing waits for the hour to pass."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.support.house import Guest
from tests.support.rooms import ROOMS, Room

_CLOCK = Path(__file__).resolve().parents[1] / "support" / "clock"
_HELD_IN = {"webhook": "intake.stored", "worker": "prepare.stored", "engine": "order.written"}


@pytest.mark.parametrize("step", ["on", "back"])
@pytest.mark.parametrize("room", ROOMS)
async def test_a_clock_that_steps_an_hour_delays_nobody(guest: Guest, room: Room, step: str) -> None:
    house = guest.house
    async with house.changed(room, PYTHONPATH=str(_CLOCK)):
        await guest.ready()
        house.points.arm(_HELD_IN[room], "hold")
        arriving = asyncio.create_task(guest.hand_in())
        await house.points.held(_HELD_IN[room])
        house.rooms.signal(room, signal.SIGUSR1 if step == "on" else signal.SIGUSR2)
        house.points.release(_HELD_IN[room])
        await arriving
        await guest.hand_in()
        await guest.all_is_well()
