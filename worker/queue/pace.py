"""How many jobs a worker may claim ahead, judged by how fast its jobs end.

A freed slot is filled at once if the next job is held already. But what one worker holds no other can run, so only so
much is claimed ahead as will begin within a moment; with long jobs that is nothing.
"""

import time
from collections.abc import Callable

_AHEAD_S = 0.05  # a job claimed ahead waits about so long: no longer than a poll of another worker would take
_WINDOW_S = 1.0  # ends are counted over one to two windows
_STALLED_S = 0.25  # no job ended for so long: what was counted before says nothing any more


class Pace:
    """Counts ends of jobs; `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = self._last = clock()
        self._count = self._before = 0
        self._before_s = 0.0

    def ended(self) -> None:
        """A job has ended."""
        self._count += 1
        self._last = self._clock()

    def ahead(self) -> int:
        """How many jobs will end within a moment."""
        now = self._clock()
        window_s = now - self._since
        counted_s = max(self._before_s + window_s, _AHEAD_S)
        rate_hz = (self._before + self._count) / counted_s
        if window_s > _WINDOW_S:
            self._before, self._before_s, self._count, self._since = self._count, window_s, 0, now
        return 0 if now - self._last > _STALLED_S else int(rate_hz * _AHEAD_S)
