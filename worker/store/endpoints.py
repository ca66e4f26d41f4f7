"""Endpoints that events go to, and what is on its way to each.

Every speaker is a lane of its own: its events wait in a list, oldest first, and only the first is ever sent; a lane
with something left stands among the lanes at the time of its next try. So one speaker's order is kept, and a refused
event holds up nobody else's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources
from typing import NamedTuple

from redis.asyncio import Redis

from worker.contract.events import fits
from worker.store import keys
from worker.store.events import BEGIN, EventLog, order
from worker.store.fields import read_fields

NO_SPEAKER = "-"  # the lane of events that belong to none; no speaker's id has a dash
_DEAD_KEPT = 1000
_PAGE = 500
_TAKE, _SETTLE, _SWAP, _LEAD = (
    resources.files("worker.store").joinpath(f"{name}.lua").read_text() for name in ("take", "settle", "swap", "lead")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What signs; `until` is when a replaced one ends."""

    value: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where events are posted.

    Attributes:
        types: names of the catalogue, with stars; none is all.
        is_full: the speaker's document comes along.
        secrets: the newest first; all that have not ended sign.
        disabled: why nothing is sent; empty while something is.
    """

    endpoint_id: str
    url: str
    types: tuple[str, ...]
    is_full: bool
    description: str
    created_at: datetime
    secrets: tuple[Secret, ...]
    disabled: str = ""

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now."""
        return tuple(one.value for one in self.secrets if one.until is None or one.until > now)


class Waiting(NamedTuple):
    """A lane that is due: its first events by their places in the stream, and the tries of the first so far."""

    name: str
    places: tuple[str, ...]
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """How a lane fared.

    Attributes:
        done: places of the events that need no further try, in order.
        forgotten: of those, how many the stream no longer had.
        failure: how the try after those ended, if there was one that failed.
        again_ms: when that one is tried again; None: it is given up.
    """

    done: tuple[str, ...]
    forgotten: int = 0
    failure: str = ""
    again_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint does.

    Attributes:
        delivered: events that it took.
        failed: tries that it did not.
        given_up: events that used up their tries.
        forgotten: events that the stream no longer had when their turn came.
        failing: tries since the last that it took.
        answer: how the last try ended.
        tried_ms: when that was, ms since 1970; 0: never.
        waiting: speakers with something left.
    """

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    forgotten: int = 0
    failing: int = 0
    answer: str = ""
    tried_ms: int = 0
    waiting: int = 0


class Endpoints:
    """The endpoints of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._account = account
        self._take, self._settle, self._swap, self._lead = map(redis.register_script, (_TAKE, _SETTLE, _SWAP, _LEAD))

    async def add(self, endpoint: Endpoint, *, behind: str) -> None:
        """Begin to send what comes behind an entry of the stream."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(self._key(endpoint.endpoint_id, "at"), behind)
            pipe.hset(keys.endpoints(self._account), endpoint.endpoint_id, _packed(endpoint))
            await pipe.execute()

    async def all(self) -> list[Endpoint]:
        """All of them, the oldest first."""
        found = await self._redis.hgetall(keys.endpoints(self._account))  # type: ignore[misc]  # typed for both clients
        return sorted(map(_unpacked, found.values()), key=lambda one: (one.created_at, one.endpoint_id))

    async def get(self, endpoint_id: str) -> Endpoint | None:
        """One of them."""
        (found,) = await read_fields(self._redis, keys.endpoints(self._account), endpoint_id)
        return _unpacked(found) if found else None

    async def change(self, before: Endpoint, after: Endpoint) -> bool:
        """Put one in the place of what was read; False if somebody else has changed it since."""
        args = [before.endpoint_id, _packed(before), _packed(after)]
        return bool(await self._swap(keys=[keys.endpoints(self._account)], args=args))

    async def disable(self, endpoint_id: str, why: str) -> None:
        """Send nothing more, until it is enabled; what comes meanwhile waits in the stream."""
        while (known := await self.get(endpoint_id)) and not known.disabled:
            if await self.change(known, replace(known, disabled=why)):
                return

    async def remove(self, endpoint_id: str) -> bool:
        """Forget one, with all that is on its way; False if there is none."""
        lanes = await self._redis.zrange(self._key(endpoint_id, "lanes"), 0, -1)
        gone = await self._redis.hdel(keys.endpoints(self._account), endpoint_id)  # type: ignore[misc]  # typed for both clients
        parts = [self._key(endpoint_id, part) for part in ("at", "lanes", "tries", "health", "dead", "lead")]
        await self._redis.delete(*parts, *(self._lane(endpoint_id, lane.decode()) for lane in lanes))
        return bool(gone)

    async def lead(self, endpoint_id: str, token: str, *, for_s: float) -> bool:
        """Be the one who delivers to it, or stay so, for so long; False if somebody else is."""
        key = self._key(endpoint_id, "lead")
        return bool(await self._lead(keys=[key], args=[token, round(for_s * 1000)]))

    async def let_go(self, endpoint_id: str, token: str) -> None:
        """Let somebody else deliver, at once."""
        await self._lead(keys=[self._key(endpoint_id, "lead")], args=[token, 0])

    async def place(self, endpoint_id: str) -> str:
        """Up to where the stream was looked at."""
        found = await self._redis.get(self._key(endpoint_id, "at"))
        return found.decode() if found else BEGIN

    async def take(
        self, endpoint_id: str, *, seen: str, until: str, chosen: Sequence[tuple[str, str]], now_ms: int
    ) -> bool:
        """Put events (lane, place) that were found behind `seen` into their lanes; False if that was done before."""
        names = list(dict.fromkeys(lane for lane, _ in chosen))
        number = {name: index + 1 for index, name in enumerate(names)}
        return bool(
            await self._take(
                keys=[
                    self._key(endpoint_id, "at"),
                    self._key(endpoint_id, "lanes"),
                    *(self._lane(endpoint_id, name) for name in names),
                ],
                args=[
                    seen,
                    until,
                    now_ms,
                    len(names),
                    *names,
                    *(part for lane, place in chosen for part in (number[lane], place)),
                ],
            )
        )

    async def replay(  # noqa: PLR0913  each is one bound
        self, endpoint: Endpoint, log: EventLog, *, behind: str, until: str, types: Sequence[str], now: datetime,
        most: int,
    ) -> int:  # fmt: skip
        """Put events of the stream between two places into their lanes once more; returns how many."""
        number, now_ms = 0, round(now.timestamp() * 1000)
        while number < most and (found := await log.after(behind, limit=min(_PAGE, most - number))):
            inside = [(place, event) for place, event in found if order(place) <= order(until)]
            chosen = [
                (event.speaker_id or NO_SPEAKER, place)
                for place, event in inside
                if fits(event.type, types) and fits(event.type, endpoint.types)
            ]
            while chosen:
                place = await self.place(endpoint.endpoint_id)
                if await self.take(endpoint.endpoint_id, seen=place, until=place, chosen=chosen, now_ms=now_ms):
                    break
            number, behind = number + len(chosen), found[-1][0]
            if len(inside) < len(found):
                break
        return number

    async def due(self, endpoint_id: str, *, now_ms: int, limit: int, events: int) -> list[Waiting]:
        """Lanes whose time has come, the longest overdue first, with their first events."""
        lanes = self._key(endpoint_id, "lanes")
        names = [one.decode() for one in await self._redis.zrangebyscore(lanes, "-inf", now_ms, start=0, num=limit)]
        if not names:
            return []
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(self._key(endpoint_id, "tries"), names)
            for name in names:
                pipe.lrange(self._lane(endpoint_id, name), 0, events - 1)
            tries, *lists = await pipe.execute()
        return [
            Waiting(name, tuple(place.decode() for place in places), int(count or 0))
            for name, count, places in zip(names, tries, lists, strict=True)
        ]

    async def next_due_ms(self, endpoint_id: str) -> int | None:
        """When the next lane is due; None if nothing waits."""
        found = await self._redis.zrange(self._key(endpoint_id, "lanes"), 0, 0, withscores=True)
        return int(found[0][1]) if found else None

    async def settle(self, endpoint_id: str, lane: str, fared: Fared, *, now_ms: int) -> None:
        """Write down how a lane fared."""
        parts = ("lanes", "tries", "health", "dead")
        again = "" if fared.again_ms is None else fared.again_ms
        await self._settle(
            keys=[*(self._key(endpoint_id, part) for part in parts), self._lane(endpoint_id, lane)],
            args=[lane, now_ms, fared.failure, again, fared.forgotten, _DEAD_KEPT, *fared.done],
        )

    async def health(self, endpoint_id: str) -> Health:
        """How it does."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._key(endpoint_id, "health"))
            pipe.zcard(self._key(endpoint_id, "lanes"))
            found, waiting = await pipe.execute()
        told = {name.decode(): value.decode() for name, value in found.items()}
        answer = told.pop("answer", "")
        return Health(answer=answer, waiting=waiting, **{name: int(value) for name, value in told.items()})

    def _key(self, endpoint_id: str, part: str) -> str:
        return keys.endpoint(self._account, endpoint_id, part)

    def _lane(self, endpoint_id: str, name: str) -> str:
        return keys.lane(self._account, endpoint_id, name)


def _packed(endpoint: Endpoint) -> str:
    return json.dumps(
        {
            "id": endpoint.endpoint_id,
            "url": endpoint.url,
            "types": endpoint.types,
            "full": endpoint.is_full,
            "description": endpoint.description,
            "createdAt": endpoint.created_at.isoformat(),
            "secrets": [[one.value, one.until.isoformat() if one.until else None] for one in endpoint.secrets],
            "disabled": endpoint.disabled,
        }
    )


def _unpacked(blob: bytes) -> Endpoint:
    told = json.loads(blob)
    return Endpoint(
        endpoint_id=told["id"],
        url=told["url"],
        types=tuple(told["types"]),
        is_full=told["full"],
        description=told["description"],
        created_at=datetime.fromisoformat(told["createdAt"]),
        secrets=tuple(
            Secret(value=value, until=datetime.fromisoformat(until) if until else None)
            for value, until in told["secrets"]
        ),
        disabled=told["disabled"],
    )
