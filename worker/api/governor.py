"""The rate governor: it alone decides when a call may leave, for all workers together, by the Redis server's clock.

A sliding window of calls, and a pause for the whole group while a penalty runs: any call during RingCentral's penalty
would start it anew (CONTRACT 7).
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from importlib import resources

from redis.asyncio import Redis

from worker.api import keys
from worker.enrollment.errors import RetryLaterError

_RESERVE = resources.files("worker.api").joinpath("reserve.lua").read_text()
_NO_RETRY_AFTER = timedelta(seconds=60)  # the documented penalty; a 429 without Retry-After asks for 30 s at least
_LONGEST = timedelta(hours=1)


class Governor:
    """Permission to call, shared through Redis.

    Args:
        redis: any client of the shared Redis.
        account: whose budget it is.
        calls: calls allowed per window; 0 means that only penalties count.
        window: length of the sliding window.
    """

    def __init__(self, redis: Redis, *, account: str, calls: int, window: timedelta) -> None:
        self._redis = redis
        self._account = account
        self._calls = calls
        self._window = window
        self._reserve = redis.register_script(_RESERVE)

    async def reserve(self) -> None:
        """Take one call out of the budget.

        Raises:
            RetryLaterError: `rate_limited`, with the time to wait.
        """
        wait_ms = await self._reserve(
            keys=[keys.calls(self._account), keys.penalty(self._account)],
            args=[self._calls, round(self._window.total_seconds() * 1000), uuid.uuid4().hex],
        )
        if int(wait_ms):
            after = timedelta(milliseconds=int(wait_ms))
            message = f"{self._calls} calls per {self._window.total_seconds():.0f} s are used up or a penalty runs"
            raise RetryLaterError("rate_limited", message, after=after)

    async def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer: a 429 or an empty budget parks every worker."""
        if status == 429:  # noqa: PLR2004 -- Too Many Requests
            await self._park(_seconds(headers.get("Retry-After")) or _NO_RETRY_AFTER)
        elif headers.get("X-Rate-Limit-Remaining") == "0":
            await self._park(_seconds(headers.get("X-Rate-Limit-Window")) or self._window)

    async def _park(self, pause: timedelta) -> None:
        await self._redis.set(keys.penalty(self._account), "1", px=min(pause, _LONGEST))


def _seconds(header: str | None) -> timedelta | None:
    return timedelta(seconds=int(header)) if header and header.isdecimal() and int(header) > 0 else None
