"""What goes wrong in the soak: a room killed at random every few seconds, and started again as a supervisor would."""

import asyncio
import random
import time
from collections import Counter

from tests.support.house import House

_PAUSE_S = (2.0, 6.0)
_DOWN_S = (0.0, 1.5)
_WEIGHTS = {"worker": 4, "worker-2": 4, "engine": 1, "webhook": 1, "valkey": 1}


class Chaos:
    """Kills, reproducibly by the dice it is given."""

    def __init__(self, house: House, dice: random.Random) -> None:
        self._house = house
        self._dice = dice
        self.kills: Counter[str] = Counter()

    async def rage(self, *, until_s: float) -> None:
        """Go on until the monotonic clock says so; everything runs afterwards."""
        while (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(self._dice.uniform(*_PAUSE_S), left_s))
            (victim,) = self._dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            await self._kill(victim)

    async def _kill(self, victim: str) -> None:
        house, down_s = self._house, self._dice.uniform(*_DOWN_S)
        self.kills[victim] += 1
        if victim == "valkey":
            house.valkey.kill()
            await asyncio.sleep(down_s)
            await asyncio.to_thread(house.valkey.start)
        else:
            house.rooms.kill(victim)
            await asyncio.sleep(down_s)
            house.rooms.start("worker" if victim == "worker-2" else victim, victim)  # type: ignore[arg-type]  # a room
