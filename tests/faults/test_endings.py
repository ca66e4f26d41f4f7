"""SIGTERM in mid-work, as by a deploy, and a door killed under load: what was accepted is kept, no try is used up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp

from tests.support.house import NOBODY, Guest
from tests.support.rooms import ROOMS
from tests.support.waiting import until
from worker.contract.token import Claims, mint
from worker.queue.connect import client, close
from worker.queue.jobs import queue_name
from worker.store.journal import Journal

_STARTED = {"engine": "model.loaded", "webhook": "webhook.started", "worker": "worker.started"}
_ARRIVING = 12
_PAUSE_S = 0.3
_SENDERS = 8
_ANSWERED = 300  # callbacks between two kills


async def test_rooms_that_are_replaced_one_by_one_lose_nothing(guest: Guest) -> None:
    rooms = guest.house.rooms
    begin = len(rooms.log("worker"))
    arriving = asyncio.create_task(_hand_in(guest, _ARRIVING))
    for room in reversed(ROOMS):
        starts = rooms.log(room).count(_STARTED[room])
        assert await asyncio.to_thread(rooms.stop, room) == 0
        rooms.start(room)
        await rooms.logged(room, _STARTED[room], times=starts + 1)
    await arriving
    await guest.all_is_well()
    lines = [json.loads(line) for line in rooms.log("worker")[begin:].splitlines()]
    by_design = {line["job"] for line in lines if line["event"] == "job.postponed"}
    assert {line["attempt"] for line in lines if line["event"] == "job.done" and line["job"] not in by_design} == {1}


async def _hand_in(guest: Guest, number: int) -> None:
    for _ in range(number):
        await guest.hand_in()
        await asyncio.sleep(_PAUSE_S)


async def test_a_callback_that_was_answered_200_is_in_the_journal_whatever_kills_the_door(guest: Guest) -> None:
    house = guest.house
    answered: set[str] = set()
    async with _sending(guest, answered):
        for kill in range(1, 4):
            await until(lambda enough=kill * _ANSWERED: len(answered) >= enough)  # type: ignore[misc]  # a bound default
            house.rooms.kill("webhook")
            house.rooms.start("webhook")
    redis = client(house.settings.redis, queue_name=queue_name(house.settings.account))
    keep = house.settings.retention
    journal = Journal(redis, account=house.settings.account, keep=keep.journal, most_bytes=keep.journal_bytes)
    known = {value async for callback in journal.each() for value in callback.headers.values()}
    await close(redis)
    assert answered <= known


@asynccontextmanager
async def _sending(guest: Guest, answered: set[str]) -> AsyncIterator[None]:
    """Senders of callbacks for as long as the block lasts; who was answered 200 is in `answered`."""
    settings = guest.house.settings
    claims = Claims(
        account=settings.account,
        speaker_id=NOBODY,
        recording_id="none",
        attempt_id="none",
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    url = f"{guest.house.rooms.url}/v1/callbacks/{mint(claims, key=settings.webhook.token_key)}"
    body = {
        "speakerId": "somebody",  # not whom the token names: written down, and found to be no news
        "enrollmentComplete": True,
        "totalSpeechDuration": 13.0,
        "totalEnrollDuration": 14.0,
        "enrollmentQuality": "Good",
    }
    over = asyncio.Event()

    async def send(sender: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            name = f"{sender}-{number}"
            try:
                async with guest.http.post(url, json=body, headers={"RCRequestId": name}) as answer:
                    assert answer.status in {200, 503}
                    if answer.status == 200:
                        answered.add(name)
            except aiohttp.ClientError:
                pass

    async with asyncio.TaskGroup() as group:
        for sender in range(_SENDERS):
            group.create_task(send(sender))
        try:
            yield
        finally:
            over.set()
