"""No room on the disk, played by a limit on the size of files: what needs room waits, what doesn't goes on."""

import resource

from tests.support.house import Guest

_NO_ROOM_BYTES = 100_000  # the shortest clip has 192 KB


async def test_without_room_for_clips_recordings_wait_and_submissions_go_on(guest: Guest) -> None:
    rooms, points = guest.house.rooms, guest.house.points
    points.arm("order.written", "hold")
    ready = await guest.hand_in(samples=1)
    await points.held("order.written")  # its clip is stored: it needs no more room
    rooms.limit_files("worker", _NO_ROOM_BYTES)
    waiting = await guest.hand_in(samples=1)
    await rooms.logged("worker", "object_store_full")
    points.release("order.written")
    await guest.settled(ready)
    assert [one["state"] for one in (await guest.document(waiting))["samples"]] == ["planned"]
    rooms.limit_files("worker", resource.RLIM_INFINITY)
    await guest.all_is_well()


async def test_without_room_for_an_order_the_engine_says_later(guest: Guest) -> None:
    rooms = guest.house.rooms
    rooms.limit_files("engine", _NO_ROOM_BYTES)
    await guest.hand_in(samples=1)
    await rooms.logged("engine", "not_ready")
    rooms.limit_files("engine", resource.RLIM_INFINITY)
    (document,) = await guest.all_is_well()
    assert document["samples"][0]["attempts"][0]["code"] == "api_unavailable"


async def test_without_room_for_an_upload_the_door_says_so(guest: Guest) -> None:
    rooms = guest.house.rooms
    rooms.limit_files("webhook", _NO_ROOM_BYTES)
    assert await guest.upload() == (503, "object_store_full")
    rooms.limit_files("webhook", resource.RLIM_INFINITY)
    assert await guest.upload() == (202, None)
    await guest.all_is_well()
