"""The rate governor: it alone decides when a call may leave, for all workers together, by the Redis server's clock.

A sliding window of calls, a pause for the whole group while a penalty runs (any call would start it anew, CONTRACT 7),
and a line of those who wait: first who finishes what was begun, then who begins, then what can wait. Nobody waits here:
who may not call is told when to ask again, just before its turn. What the provider says of its limit counts, and so do
the calls of others that it tells of.
"""

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from importlib import resources

from redis.asyncio import Redis

from worker.api import keys
from worker.api.keys import Group
from worker.enrollment.errors import RetryLaterError

MARGIN = 0.02  # of window and penalty: the network may bring two calls closer together than they left (measured)
_ASK, _DEPART, _OBSERVE = (
    resources.files("worker.api").joinpath(f"{name}.lua").read_text() for name in ("ask", "depart", "observe")
)
_NO_RETRY_AFTER = timedelta(seconds=60)  # the documented penalty; a 429 without Retry-After asks for 30 s at least
_LONGEST = timedelta(hours=1)
_LEAVE_MS = 10_000  # a leave that was not used by then is void, and its place is free again
_PROBE_MS = 35_000  # the first call after a penalty has so long to be answered: longer than VOXROLL_API_TIMEOUT
_IDLE_SHARE = 0.5
_TOO_MANY_REQUESTS = 429
_HEADER = "X-Rate-Limit-"


class Turn(IntEnum):
    """Who goes first. An idle call leaves half of the budget to others."""

    FINISH = 0
    START = 1
    BATCH_FINISH = 2
    BATCH_START = 3
    IDLE = 4


@dataclass(frozen=True, slots=True)
class Leave:
    """Permission for one call, for some seconds."""

    leave_id: str


@dataclass(frozen=True, slots=True)
class Departure:
    """A call that left, and when; the first one after a penalty is a probe, for whose answer all others wait."""

    leave: Leave
    left_ms: int
    is_probe: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in any stretch of this length; 0 calls: no limit."""

    calls: int
    window: timedelta


class Governor:
    """Permission to call, shared through Redis.

    Args:
        redis: any client of the shared Redis.
        group: whose budget it is.
        limit: what we allow ourselves; the provider may allow less.
        clock: ms since 1970 where time is simulated, instead of the Redis server's clock.
    """

    def __init__(self, redis: Redis, *, group: Group, limit: Limit, clock: Callable[[], int] | None = None) -> None:
        self._redis = redis
        self._limit = limit
        self._clock: Callable[[], int | str] = clock or (lambda: "")
        self._window_ms = _with_margin(limit.window) if limit.calls else 0
        self._group = group
        self._ask, self._depart, self._observe = map(redis.register_script, (_ASK, _DEPART, _OBSERVE))

    async def reserve(self, caller: str, *, turn: Turn) -> Leave:
        """Take leave for one call; whoever asks again under the same name keeps its place in the line.

        Raises:
            RetryLaterError: `rate_limited`, with the time after which to ask again.
        """
        leave, group = Leave(uuid.uuid4().hex), self._group
        share = _IDLE_SHARE if turn is Turn.IDLE else 0
        limit = [self._limit.calls, self._window_ms, share]
        wait_ms = await self._ask(
            keys=[keys.calls(group), keys.granted(group), keys.line(group), keys.due(group), keys.state(group)],
            args=[self._clock(), caller, int(turn), leave.leave_id, *limit, _LEAVE_MS, _PROBE_MS, _ms(_LONGEST)],
        )
        if int(wait_ms):
            raise _limited(int(wait_ms), "the calls allowed are used up, or a penalty runs")
        return leave

    async def depart(self, leave: Leave) -> Departure:
        """The last look before the call is sent, which counts it.

        Raises:
            RetryLaterError: `rate_limited`: the leave has ended, or a penalty has begun.
        """
        group = self._group
        left_ms, is_probe = await self._depart(
            keys=[keys.calls(group), keys.granted(group), keys.state(group)],
            args=[self._clock(), leave.leave_id, self._window_ms],
        )
        if left_ms < 0:
            raise _limited(-left_ms, "a penalty has begun, or the leave was not used in time")
        return Departure(leave, left_ms, bool(is_probe))

    async def take_back(self, departure: Departure) -> None:
        """The call could not leave after all: nobody was there. It doesn't count."""
        await self._redis.zrem(keys.calls(self._group), departure.leave.leave_id)
        if departure.is_probe:
            await self._redis.hset(keys.state(self._group), "probe", "0")  # type: ignore[misc]  # typed for both clients

    async def park(self, pause: timedelta) -> None:
        """Let no call of the group leave for a while."""
        await self._learn(0, pause)

    async def observe(self, status: int, headers: Mapping[str, str], *, departure: Departure) -> None:
        """Learn from an answer: a 429 parks every worker, and what is left of the budget says what others use."""
        pause, told = _pause(status, headers), self._told(status, headers)
        if pause or told or departure.is_probe:
            await self._learn(departure.left_ms, pause, told, is_penalty=status == _TOO_MANY_REQUESTS)

    async def _learn(
        self, left_ms: int, pause: timedelta, told: Sequence[int] = (), *, is_penalty: bool = False
    ) -> None:
        await self._observe(
            keys=[keys.calls(self._group), keys.state(self._group)],
            args=[self._clock(), left_ms, _with_margin(min(pause, _LONGEST)), "1" if is_penalty else "", *told],
        )

    def _told(self, status: int, headers: Mapping[str, str]) -> list[int]:
        """Arguments of the script, empty if the answer says nothing of this group's limit."""
        group = headers.get(_HEADER + "Group", self._group.name)
        calls, window_s = _number(headers, "Limit"), _number(headers, "Window")
        if group.casefold() != self._group.name or not calls or not window_s:
            return []
        theirs = Limit(calls, timedelta(seconds=window_s))
        both = stricter(self._limit, theirs)
        left = _number(headers, "Remaining")
        used = 0 if left is None or status == _TOO_MANY_REQUESTS else calls - left
        return [used, _with_margin(theirs.window), calls - both.calls, both.calls, _with_margin(both.window)]


def stricter(one: Limit, other: Limit) -> Limit:
    """A limit that keeps both: the fewer calls, in a stretch that fits often enough into each window."""
    if not one.calls or not other.calls:
        return one if one.calls else other
    calls = min(one.calls, other.calls)
    return Limit(calls, max(-(-limit.window // (limit.calls // calls)) for limit in (one, other)))  # rounded up


def _pause(status: int, headers: Mapping[str, str]) -> timedelta:
    if status == _TOO_MANY_REQUESTS:
        return _seconds(headers.get("Retry-After")) or _NO_RETRY_AFTER
    if _number(headers, "Remaining") == 0 and _number(headers, "Limit") is None:
        return _seconds(headers.get(_HEADER + "Window")) or _NO_RETRY_AFTER
    return timedelta()


def _limited(wait_ms: int, message: str) -> RetryLaterError:
    return RetryLaterError("rate_limited", message, after=timedelta(milliseconds=wait_ms))


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(_HEADER + name, "")
    return int(text) if text.isascii() and text.isdecimal() else None


def _seconds(header: str | None) -> timedelta | None:
    return timedelta(seconds=int(header)) if header and header.isdecimal() and int(header) > 0 else None


def _ms(length: timedelta) -> int:
    return math.ceil(length.total_seconds() * 1000)


def _with_margin(length: timedelta) -> int:
    return _ms(length * (1 + MARGIN))
