"""Endpoints that events go to, and what is on its way to each.

Every speaker is a lane of its own: its events wait in a list, oldest first, and only the first is ever sent; a lane
with something left stands among the lanes at the time of its next try. So one speaker's order is kept, and a refused
event holds up nobody else's.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from importlib import resources

from redis.asyncio import Redis

from worker.contract.events import fits
from worker.enrollment.errors import UnreadableError
from worker.store import keys
from worker.store.endpoint import Endpoint, packed, unpacked
from worker.store.events import BEGIN, EventLog, order
from worker.store.faring import Fared, Health, Known, Stand, Waiting, Whereabouts
from worker.store.fields import read_fields

NO_SPEAKER = "-"  # the lane of events that belong to none; no speaker's id has a dash
_DEAD_KEPT = 1000
_PAGE = 500
_BACK_MS = 10_000  # nothing was taken for so long: with the next that is, everything that waits is due
_TAKE, _SETTLE, _SWAP, _LEAD, _REMOVE = (
    resources.files("worker.store").joinpath(f"{name}.lua").read_text()
    for name in ("take", "settle", "swap", "lead", "remove")
)


class Endpoints:
    """The endpoints of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._account = account
        scripts = map(redis.register_script, (_TAKE, _SETTLE, _SWAP, _LEAD, _REMOVE))
        self._take, self._settle, self._swap, self._lead, self._remove = scripts

    async def add(self, endpoint: Endpoint, *, behind: str) -> None:
        """Begin to send what comes behind an entry of the stream."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(self._key(endpoint.endpoint_id, "at"), behind)
            pipe.hset(keys.endpoints(self._account), endpoint.endpoint_id, packed(endpoint))
            await pipe.execute()

    async def all(self) -> Known:
        """All of them."""
        found = await self._redis.hgetall(keys.endpoints(self._account))  # type: ignore[misc]  # typed for both clients
        readable, unreadable = list[Endpoint](), dict[str, str]()
        for name, blob in found.items():
            try:
                readable.append(unpacked(name.decode(), blob))
            except UnreadableError as error:
                unreadable[name.decode()] = error.message
        return Known(sorted(readable, key=lambda one: (one.created_at, one.endpoint_id)), unreadable)

    async def get(self, endpoint_id: str) -> Endpoint | None:
        """One of them.

        Raises:
            UnreadableError: `endpoint_unreadable`.
        """
        blob = await self._blob(endpoint_id)
        return unpacked(endpoint_id, blob) if blob else None

    async def change(self, endpoint_id: str, how: Callable[[Endpoint], Endpoint]) -> Endpoint | None:
        """Change one as it is at this moment, and return it; None if there is none.

        Raises:
            UnreadableError: `endpoint_unreadable`; it stays as it is.
        """
        while blob := await self._blob(endpoint_id):
            before = unpacked(endpoint_id, blob)
            after = how(before)
            args: list[str | bytes] = [endpoint_id, blob, packed(after)]
            if after == before or await self._swap(keys=[keys.endpoints(self._account)], args=args):
                return after
        return None

    async def disable(self, endpoint_id: str, why: str) -> None:
        """Send nothing more, until it is enabled; what comes meanwhile waits in the stream."""
        await self.change(endpoint_id, lambda known: replace(known, disabled=known.disabled or why))

    async def remove(self, endpoint_id: str) -> bool:
        """Forget one, read or not, with all that is on its way; False if there is none."""
        parts = [self._key(endpoint_id, part) for part in ("lanes", "at", "tries", "health", "dead", "lead")]
        args = [endpoint_id, self._lane(endpoint_id, "")]
        return bool(await self._remove(keys=[keys.endpoints(self._account), *parts], args=args))

    async def lead(self, endpoint_id: str, token: str, *, for_s: float) -> bool:
        """Be the one who delivers to it, or stay so, for so long; False if somebody else is."""
        key = self._key(endpoint_id, "lead")
        return bool(await self._lead(keys=[key], args=[token, round(for_s * 1000)]))

    async def let_go(self, endpoint_id: str, token: str) -> None:
        """Let somebody else deliver, at once."""
        await self._lead(keys=[self._key(endpoint_id, "lead")], args=[token, 0])

    async def stand(self, endpoint_id: str) -> Stand:
        """How far it is."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(self._key(endpoint_id, "at"))
            pipe.hget(self._key(endpoint_id, "health"), "queued")
            place, queued = await pipe.execute()
        return Stand(place.decode() if place else BEGIN, int(queued or 0))

    async def take(  # noqa: PLR0913  each is one bound
        self, endpoint_id: str, *, seen: str, until: str, chosen: Sequence[tuple[str, str]], now_ms: int,
        missed_ms: int = 0,
    ) -> bool:  # fmt: skip
        """Put events (lane, place) that were found behind `seen` into their lanes; False if that was done before.

        `missed_ms`: events before this time had been forgotten when they were looked for.
        """
        names = list(dict.fromkeys(lane for lane, _ in chosen))
        number = {name: index + 1 for index, name in enumerate(names)}
        return bool(
            await self._take(
                keys=[
                    keys.endpoints(self._account),
                    *(self._key(endpoint_id, part) for part in ("at", "lanes", "health")),
                    *(self._lane(endpoint_id, name) for name in names),
                ],
                args=[
                    endpoint_id,
                    seen,
                    until,
                    now_ms,
                    missed_ms,
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
        """Put events of the stream between two places into their lanes once more, all due now; returns how many."""
        number, now_ms = 0, round(now.timestamp() * 1000)
        while number < most and (found := await log.after(behind, limit=min(_PAGE, most - number))):
            inside = [(place, event) for place, event in found if order(place) <= order(until)]
            chosen = [
                (event.speaker_id or NO_SPEAKER, place)
                for place, event in inside
                if event and fits(event.type, types) and fits(event.type, endpoint.types)
            ]
            while chosen and await self._blob(endpoint.endpoint_id):
                place, _ = await self.stand(endpoint.endpoint_id)
                if await self.take(endpoint.endpoint_id, seen=place, until=place, chosen=chosen, now_ms=now_ms):
                    break
            number, behind = number + len(chosen), found[-1][0]
            if len(inside) < len(found):
                break
        await self.rouse(endpoint.endpoint_id)
        return number

    async def rouse(self, endpoint_id: str) -> None:
        """Have all that waits tried now, not when its next try would be: somebody says that the endpoint is back."""
        lanes = self._key(endpoint_id, "lanes")
        await self._redis.zunionstore(lanes, {lanes: 0})

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
        parts = [self._key(endpoint_id, part) for part in ("lanes", "tries", "health", "dead")]
        again = "" if fared.again_ms is None else fared.again_ms
        numbers = [now_ms, _BACK_MS, fared.forgotten, _DEAD_KEPT]
        await self._settle(
            keys=[keys.endpoints(self._account), *parts, self._lane(endpoint_id, lane)],
            args=[endpoint_id, lane, *numbers, fared.failed, fared.failure, again, *fared.done],
        )

    async def health(self, endpoint_id: str) -> Health:
        """How it does."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._key(endpoint_id, "health"))
            pipe.zcard(self._key(endpoint_id, "lanes"))
            found, waiting = await pipe.execute()
        told = {name.decode(): value.decode() for name, value in found.items()}
        answer = told.pop("answer", "")
        numbers = {one.name: int(told[one.name]) for one in fields(Health) if one.name in told}
        return Health(answer=answer, **numbers | {"waiting": waiting})

    async def whereabouts(self, endpoint_id: str, lane: str, place: str) -> Whereabouts:
        """Where an event stands on its way to an endpoint."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.lpos(self._lane(endpoint_id, lane), place)
            pipe.lpos(self._key(endpoint_id, "dead"), place)
            pipe.hget(self._key(endpoint_id, "tries"), lane)
            pipe.zscore(self._key(endpoint_id, "lanes"), lane)
            pipe.get(self._key(endpoint_id, "at"))
            before, dead, tries, due_ms, at = await pipe.execute()
        is_first = before == 0
        return Whereabouts(
            before, dead is not None, int(tries or 0) if is_first else 0, int(due_ms or 0), at.decode() if at else BEGIN
        )

    async def _blob(self, endpoint_id: str) -> bytes | None:
        (found,) = await read_fields(self._redis, keys.endpoints(self._account), endpoint_id)
        return found

    def _key(self, endpoint_id: str, part: str) -> str:
        return keys.endpoint(self._account, endpoint_id, part)

    def _lane(self, endpoint_id: str, name: str) -> str:
        return keys.lane(self._account, endpoint_id, name)
