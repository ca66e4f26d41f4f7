"""A badly behaving provider, played on request: `voxroll engine --faults flaky,slow=2,dropping=0.2 --seed 7`.

`Faults` decides, reproducibly by seed and by the order of events, what becomes of the next call and of the next
callback; the middleware `misbehaving` and `Callbacks` ask it. Calls are those of the API, not tokens or health. An
engine without faults has none of this. Users test their own service against it: what each mode does is in `Mode`.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from config.settings import SettingsError

_COPIES = 3


class Mode(StrEnum):
    """How to behave badly. The number after `=` is a share of calls or callbacks, or seconds."""

    FLAKY = "flaky"  # share of calls answered 500, nothing done
    SLOW = "slow"  # seconds that an answer takes at most
    LATE = "late"  # seconds until the answer to a change that is applied at once
    EARLY = "early"  # seconds that a 202 waits at most for its callback to be taken
    SILENT = "silent"  # no callback is sent
    DROPPING = "dropping"  # share of callbacks never sent
    DUPLICATING = "duplicating"  # share of callbacks sent three times
    REORDERING = "reordering"  # seconds that a callback is held back at most, each copy for its own time
    PENALISING = "penalising"  # RingCentral's limit: 10 calls a minute, then a minute's penalty


_LONGEST_S = 120.0
_HELD_BACK_S = 8.0  # with the ten seconds of a post less than a try may take
_USUAL_AND_MOST = {
    Mode.FLAKY: (0.5, 1.0),
    Mode.SLOW: (3.0, _LONGEST_S),
    Mode.LATE: (35.0, _LONGEST_S),  # usually longer than VOXROLL_API_TIMEOUT
    Mode.EARLY: (10.0, _LONGEST_S),
    Mode.SILENT: (1.0, 1.0),
    Mode.DROPPING: (0.2, 1.0),
    Mode.DUPLICATING: (1.0, 1.0),
    Mode.REORDERING: (2.0, _HELD_BACK_S),
    Mode.PENALISING: (1.0, 1.0),
}


@dataclass(slots=True)
class Faults:
    """What goes wrong; every question asked of it is about the next call or callback."""

    modes: Mapping[Mode, float]
    seed: int = 0
    _dice: dict[Mode, random.Random] = field(default_factory=dict)
    _calls: Counter[str] = field(default_factory=Counter)
    _taken: dict[str, asyncio.Event] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, *, seed: int) -> Self | None:
        """Read `flaky,slow=2`; None if nothing is to go wrong.

        Raises:
            SettingsError: an unknown mode, or a number that it can't have.
        """
        modes = dict(_mode(part.strip()) for part in text.split(",") if part.strip())
        return cls(MappingProxyType(modes), seed) if modes else None

    def fails(self, call: str) -> bool:
        """Whether the next call of a kind (method and path) is answered 500: evenly spread, a half is every other one.

        Each kind is counted by itself: who makes two kinds in turn would else find one of them always down.
        """
        self._calls[call] += 1
        number, share = self._calls[call], self.modes.get(Mode.FLAKY, 0.0)
        return math.ceil(number * share) > math.ceil((number - 1) * share)

    def slowness_s(self) -> float:
        """How long the next call waits before anything is done."""
        return self._up_to(Mode.SLOW)

    def lateness_s(self) -> float:
        """How long an answer is held back after its change was applied."""
        return self.modes.get(Mode.LATE, 0.0)

    def copies(self) -> tuple[float, ...]:
        """How the next callback is sent: one pause in seconds per copy, none if it is dropped."""
        if Mode.SILENT in self.modes or self._hits(Mode.DROPPING):
            return ()
        number = _COPIES if self._hits(Mode.DUPLICATING) else 1
        return tuple(self._up_to(Mode.REORDERING) for _ in range(number))

    async def until_taken(self, job_id: str) -> None:
        """Wait until the callback of a job was taken, but not for ever."""
        if Mode.EARLY in self.modes:
            taken = self._taken.setdefault(job_id, asyncio.Event())
            with suppress(TimeoutError):
                await asyncio.wait_for(taken.wait(), self.modes[Mode.EARLY])
            self._taken.pop(job_id, None)

    def was_taken(self, job_id: str) -> None:
        """A callback was accepted: whoever waits for it goes on."""
        if Mode.EARLY in self.modes:
            self._taken.setdefault(job_id, asyncio.Event()).set()

    def _hits(self, mode: Mode) -> bool:
        return mode in self.modes and self._die(mode).random() < self.modes[mode]

    def _up_to(self, mode: Mode) -> float:
        return self._die(mode).uniform(0, self.modes[mode]) if mode in self.modes else 0.0

    def _die(self, mode: Mode) -> random.Random:
        return self._dice.setdefault(mode, random.Random(f"{self.seed} {mode}"))  # noqa: S311  a play, no secret


def _mode(part: str) -> tuple[Mode, float]:
    name, _, number = part.partition("=")
    if name not in set(Mode):
        raise SettingsError(f"VOXROLL_ENGINE_FAULTS: {name!r} is no mode; there are {', '.join(Mode)}")
    usual, most = _USUAL_AND_MOST[Mode(name)]
    try:
        value = float(number) if number else usual
    except ValueError:
        value = -1.0
    if not 0 < value <= most:
        raise SettingsError(f"VOXROLL_ENGINE_FAULTS: {part!r}: a number above 0, {most:g} at most, is needed")
    return Mode(name), value
