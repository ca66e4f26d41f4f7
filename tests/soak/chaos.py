"""What goes wrong in the soak: a room killed at random every few seconds, and started again as a supervisor would.

Once the engine stays away for long, as a provider does that is down: nobody's attempts may be used up by that.
"""

import asyncio
import random
import time
from collections import Counter

from tests.support.house import House

_PAUSE_S = (2.0, 6.0)
_DOWN_S = (0.0, 1.5)
_AWAY = (0.35, 0.55)  # of the time, from when to when the engine is away
_WEIGHTS = {"worker": 4, "worker-2": 4, "engine": 1, "webhook": 1, "valkey": 1}


class Chaos:
    """Kills, reproducibly by the dice it is given."""

    def __init__(self, house: House, dice: random.Random) -> None:
        self._house = house
        self._dice = dice
        self._engine = asyncio.Lock()
        self.kills: Counter[str] = Counter()

    async def rage(self, *, seconds: float) -> None:
        """Go on for so long; everything runs afterwards."""
        until_s = time.monotonic() + seconds
        away = asyncio.create_task(self._away(*(share * seconds for share in _AWAY)))
        while (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(self._dice.uniform(*_PAUSE_S), left_s))
            (victim,) = self._dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            if victim != "engine" or not self._engine.locked():
                await self._kill(victim)
        await away

    async def _away(self, from_s: float, until_s: float) -> None:
        await asyncio.sleep(from_s)
        async with self._engine:
            self._house.rooms.kill("engine")
            await asyncio.sleep(until_s - from_s)
            self._house.rooms.start("engine")

    async def _kill(self, victim: str) -> None:
        house, down_s = self._house, self._dice.uniform(*_DOWN_S)
        self.kills[victim] += 1
        if victim == "engine":
            async with self._engine:
                await self._again(victim, down_s)
        elif victim == "valkey":
            house.valkey.kill()
            await asyncio.sleep(down_s)
            await asyncio.to_thread(house.valkey.start)
        else:
            await self._again(victim, down_s)

    async def _again(self, name: str, down_s: float) -> None:
        self._house.rooms.kill(name)
        await asyncio.sleep(down_s)
        self._house.rooms.start("worker" if name == "worker-2" else name, name)  # type: ignore[arg-type]  # a room
