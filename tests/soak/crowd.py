"""The speakers of the soak: they arrive at an even pace, insist until they are accepted, are counted as they settle."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.support.house import SECONDS, House
from tests.support.waiting import until

_PAUSE_S = 0.2
_LOOK_S = 0.5
_PAGE = 500
_SETTLED = frozenset({"complete", "incomplete", "failed"})


@dataclass(slots=True)
class Speaker:
    """One of them: when it first knocked (seconds since 1970), and whether it was let in."""

    speaker_id: str
    knocked_s: float
    accepted: bool = False


class Crowd:
    """All of them."""

    def __init__(self, house: House, http: aiohttp.ClientSession, *, size: int) -> None:
        self._house = house
        self._http = http
        self.size = size
        self.speakers: dict[str, Speaker] = {}

    @property
    def accepted(self) -> int:
        return sum(speaker.accepted for speaker in self.speakers.values())

    async def arrive(self, *, over_s: float) -> None:
        """Let all of them in, spread over so many seconds; returns when the last one was accepted."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(self.size):
                await asyncio.sleep(began_s + over_s * number / self.size - time.monotonic())
                group.create_task(self._insist())

    async def _insist(self) -> None:
        body = self._house.request(samples=len(SECONDS))
        speaker = Speaker(body["speakerId"], time.time())
        self.speakers[speaker.speaker_id] = speaker
        while not speaker.accepted:
            try:
                async with self._http.post(f"{self._house.rooms.url}/v1/enrollments", json=body) as answer:
                    speaker.accepted = answer.status == 202
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0 if speaker.accepted else _PAUSE_S)

    async def settled(self) -> int | None:
        """How many have settled; None if the door can't say now."""
        total = 0
        try:
            async with self._http.get(f"{self._house.rooms.url}/metrics") as answer:
                for line in (await answer.text()).splitlines():
                    if line.startswith("voxroll_speakers{") and line.split('"')[1] in _SETTLED:
                        total += round(float(line.rpartition(" ")[2]))
                return total if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def all_settled(self, *, within_s: float) -> None:
        """Return once all have settled, or the time is over."""

        async def is_over() -> bool:
            return await self.settled() == self.size

        with suppress(TimeoutError):
            await until(is_over, within_s=within_s, pause_s=_LOOK_S)

    async def documents(self) -> list[dict[str, Any]]:
        """Every speaker as the door tells it."""
        found: list[dict[str, Any]] = []
        query = {"limit": str(_PAGE)}
        while True:
            async with self._http.get(f"{self._house.rooms.url}/v1/speakers", params=query) as answer:
                page = await answer.json()
            found += page["speakers"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]
