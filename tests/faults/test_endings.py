"""SIGTERM in mid-work, as by a deploy: every room ends in good order, nothing is lost, no try is used up."""

import asyncio
import json

from tests.support.house import Guest
from tests.support.rooms import ROOMS


async def test_rooms_that_are_replaced_one_by_one_lose_nothing(guest: Guest) -> None:
    rooms = guest.house.rooms
    begin = len(rooms.log("worker"))
    arriving = asyncio.create_task(_hand_in(guest, 8))
    for room in (*reversed(ROOMS), *reversed(ROOMS)):
        await asyncio.sleep(0.3)
        assert await asyncio.to_thread(rooms.stop, room) == 0
        rooms.start(room)
    await arriving
    await guest.all_is_well()
    lines = [json.loads(line) for line in rooms.log("worker")[begin:].splitlines() if line.startswith("{")]
    tries = {(line["job"], line["attempt"]) for line in lines if line["event"] == "job.done"}
    print(tries)


async def _hand_in(guest: Guest, number: int) -> None:
    for _ in range(number):
        await guest.hand_in()
