"""The rate limit of a provider that penalises, as RingCentral does (CONTRACT 7): for trying clients against it.

So many calls of one bucket in a sliding window; one more, and every call is refused until a whole penalty has passed
without any. Pure but for its clock, which a test may run faster. It counts in this process alone: several engines side
by side allow that much each. Off unless VOXROLL_ENGINE_CALLS is set, or the engine is to be `penalising`.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

GROUP = "heavy"  # all calls of the speaker API
RINGCENTRALS = 10  # calls a minute in that group


@dataclass(frozen=True, slots=True)
class Bucket:
    """Whose calls are counted together."""

    client_id: str
    user: str
    group: str = GROUP


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may pass, how many more could pass now, and how long the penalty lasts (0: there is none)."""

    passes: bool
    remaining: int
    retry_after_s: float = 0.0


@dataclass(slots=True)
class _Known:
    calls: deque[float] = field(default_factory=deque)
    penalty_until: float = -math.inf


class Limiter:
    """Counts calls and deals out penalties.

    Args:
        calls: how many pass in one window.
        window: any stretch of this length holds `calls` at most; it is open at its beginning.
        penalty: how long every call is refused after one too many; each refused call starts it anew.
        clock: seconds that only grow.
    """

    def __init__(
        self, *, calls: int, window: timedelta, penalty: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.calls = calls
        self.window_s = window.total_seconds()
        self._penalty_s = penalty.total_seconds()
        self._clock = clock
        self._buckets: dict[Bucket, _Known] = {}

    def ask(self, bucket: Bucket) -> Verdict:
        """Count one call."""
        now = self._clock()
        known = self._buckets.setdefault(bucket, _Known())
        while known.calls and known.calls[0] <= now - self.window_s:
            known.calls.popleft()
        if now < known.penalty_until or len(known.calls) >= self.calls:
            known.penalty_until = now + self._penalty_s
            return Verdict(passes=False, remaining=0, retry_after_s=self._penalty_s)
        known.calls.append(now)
        return Verdict(passes=True, remaining=self.calls - len(known.calls))

    def headers(self, verdict: Verdict, *, group: str = GROUP) -> dict[str, str]:
        """What an answer tells of it; times in whole seconds, rounded up."""
        told = {
            "X-Rate-Limit-Group": group,
            "X-Rate-Limit-Limit": str(self.calls),
            "X-Rate-Limit-Remaining": str(verdict.remaining),
            "X-Rate-Limit-Window": str(math.ceil(self.window_s)),
        }
        return told if verdict.passes else told | {"Retry-After": str(math.ceil(verdict.retry_after_s))}
