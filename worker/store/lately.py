"""Records that were read a moment ago need not be unpacked again: most are asked for several times in a row.

By their bytes, so what changed is never found. None is kept for longer than two turns, lest those who were erased stay
in memory for as long as a process is idle.
"""

import asyncio

from worker.store.codec import Unpacked, unpacked

_MOST = 256  # in each of two turns; records of some KB
TURN_S = 60.0


class Lately:
    """What was unpacked in this turn and the one before; `turn_s` is how long one lasts at most."""

    def __init__(self, *, turn_s: float = TURN_S) -> None:
        self._turn_s = turn_s
        self._now = dict[bytes, Unpacked]()
        self._before = dict[bytes, Unpacked]()
        self._timer: asyncio.TimerHandle | None = None

    def unpacked(self, blob: bytes) -> Unpacked:
        """What the bytes hold."""
        found = self._now.get(blob)
        if found is None:
            found = self._now[blob] = self._before.get(blob) or unpacked(blob)
            if len(self._now) >= _MOST:
                self._turn()
            elif self._timer is None:
                self._begin()
        return found

    def _turn(self) -> None:
        self._now, self._before = {}, self._now
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._before:
            self._begin()

    def _begin(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._turn_s, self._turn)
