"""Batches: what was handed in as a manifest, how far it is fed, and what became of its rows.

A batch has a leader that feeds it (`worker/feed.py`); the position in the manifest and the counters change in one
script, so that a row is counted once, however often it is read. How its speakers stand is told by the listing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from worker.enrollment.errors import UnreadableError
from worker.enrollment.record import Goal, Quality, Record
from worker.enrollment.states import BATCH, SpeakerState
from worker.store import keys, listing
from worker.store.unnaming import Unnaming

_FEED, _TURN, _LEAD, _SPEND, _DROP = (
    resources.files("worker.store").joinpath(f"{name}.lua").read_text()
    for name in ("feed", "turn", "lead", "spend", "drop")
)


class State(StrEnum):
    """Where a batch stands; the words are those of OpenAI's Batch API, and two of our own."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    EXPIRED = "expired"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"


OPEN = frozenset(  # a leader works on it
    {State.VALIDATING, State.IN_PROGRESS, State.CANCELLING, State.ROLLING_BACK}
)
RESTING = frozenset({State.PAUSED, State.EXPIRED})  # it may be resumed
ENDED = frozenset({State.CANCELLED, State.COMPLETED, State.COMPLETED_WITH_ERRORS, State.ROLLED_BACK})


class OnExisting(StrEnum):
    """What is done with a row whose speaker was enrolled before the batch, or is being enrolled."""

    AUGMENT = "augment"
    SKIP = "skip"
    FAIL = "fail"
    REPLACE = "replace"


class Fate(StrEnum):
    """What becomes of a row, one of these."""

    TAKEN = "taken"
    BAD = "bad"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a batch is, from beginning to end.

    Attributes:
        kind: of the manifest, one of `manifest.KINDS`.
        sha256: of the manifest.
        folder: that relative paths count from, which may be one of a bucket; empty where they are refused.
        roots: folders that paths may lie in; None: anywhere. The front door's say when it was handed in.
        buckets: that recordings may lie in, likewise.
    """

    batch_id: str
    name: str
    created_at: datetime
    kind: str
    size: int
    sha256: str
    folder: str
    roots: tuple[str, ...] | None
    on_existing: OnExisting
    goal: Goal
    buckets: tuple[str, ...] = ()

    def folders(self) -> tuple[Path, ...] | None:
        """Folders that paths may lie in; None: anywhere."""
        return None if self.roots is None else tuple(map(Path, self.roots))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it stands.

    Attributes:
        total: rows of its manifest; None until they are counted.
        read: rows so far, each of which has one fate.
        calls: submissions so far.
        why: it rests or ended, where there is something to say.
        until: feeding ends then.
        budget: calls that it may cost; None: any.
        changed_at: when it came to its state.
    """

    plan: Plan
    state: State
    total: int | None
    read: int
    fates: Mapping[Fate, int]
    calls: int
    why: str
    until: datetime | None
    budget: int | None
    changed_at: datetime

    @property
    def is_fed(self) -> bool:
        """Whether every row was read."""
        return self.total is not None and self.read >= self.total


class Batches:
    """The batches of one account."""

    def __init__(self, redis: Redis, *, account: str, events_kept: int) -> None:
        self._redis = redis
        self._account = account
        self._events_kept = events_kept
        self._feed, self._turn, self._lead = map(redis.register_script, (_FEED, _TURN, _LEAD))
        self.unnaming = Unnaming(redis, account=account)
        self._spend, self._drop = map(redis.register_script, (_SPEND, _DROP))

    async def add(self, plan: Plan, *, until: datetime | None, budget: int | None) -> bool:
        """Begin a batch; False if it is known."""
        key, batch_id = keys.batch(self._account, plan.batch_id), plan.batch_id
        if await self._redis.exists(key):
            return False
        at = plan.created_at
        first = {"plan": _packed(plan), "state": str(State.VALIDATING), "read": "0", "changed_at": at.isoformat()}
        async with self._redis.pipeline(transaction=True) as pipe:
            for name, value in (first | bounds(until, budget)).items():
                pipe.hsetnx(key, name, value)
            pipe.sadd(keys.open_batches(self._account), batch_id)
            pipe.zadd(keys.batches(self._account), {batch_id: round(at.timestamp() * 1000)}, nx=True)
            is_new, *_ = await pipe.execute()
        return bool(is_new)

    async def get(self, batch_id: str) -> Batch | None:
        """One of them.

        Raises:
            UnreadableError: `batch_unreadable`.
        """
        (found,) = await self._several([batch_id])
        if isinstance(found, UnreadableError):
            raise found
        return found

    async def page(self, *, limit: int, offset: int) -> list[Batch | UnreadableError]:
        """Some of them, the newest first, whether they can be read or not."""
        ids = await self._redis.zrange(keys.batches(self._account), offset, offset + limit - 1, desc=True)
        return [one for one in await self._several([name.decode() for name in ids]) if one]

    async def unreadable(self) -> dict[str, str]:
        """Of those that a leader works on, by id why some can't be read."""
        found = await self._several(ids := await self.open())
        return {name: one.message for name, one in zip(ids, found, strict=True) if isinstance(one, UnreadableError)}

    async def handed_in(self, *, before: datetime) -> list[Batch]:
        """Those handed in before a time, the oldest first."""
        last = round(before.timestamp() * 1000)
        ids = await self._redis.zrange(keys.batches(self._account), "-inf", last, byscore=True)  # type: ignore[arg-type]  # typed for ranks
        found = await self._several([name.decode() for name in ids])
        return [one for one in found if isinstance(one, Batch)]

    async def drop(self, batch_id: str, *, unless: Collection[State]) -> bool:
        """Forget all that Redis holds of a batch but its speakers' records; False if it is in one of these states."""
        account = self._account
        kept = [keys.batch(account, batch_id), keys.batches(account), keys.batch_lead(account, batch_id)]
        may_go = [state for state in State if state not in unless]
        return bool(await self._drop(keys=[*kept, *listing.indexes(account, batch=batch_id)], args=[batch_id, *may_go]))

    async def open(self) -> list[str]:
        """The ids of those that a leader works on."""
        found = await self._redis.smembers(keys.open_batches(self._account))  # type: ignore[misc]  # typed for both clients
        return sorted(name.decode() for name in found)

    async def fed(self, batch: Batch, *, rows: int, fates: Mapping[Fate, int]) -> bool:
        """Count rows behind those that were read; False if that was done."""
        if rows != sum(fates.values()):
            raise AssertionError(fates)
        named = [part for fate, number in fates.items() for part in (str(fate), number)]
        return bool(await self._feed(keys=[self._key(batch)], args=[batch.read, rows, *named]))

    async def turn(
        self, batch: Batch, to: State, *, at: datetime, event: str = "", **fields: str | int
    ) -> bool:  # fmt: skip
        """Bring a batch to another state and tell an event with it; False if it is in another by now."""
        told = {"why": "", "changed_at": at.isoformat()} | fields
        args = [batch.plan.batch_id, str(batch.state), str(to), "1" if to in OPEN else "", event, self._events_kept]
        return bool(
            await self._turn(
                keys=[self._key(batch), keys.open_batches(self._account), keys.events(self._account)],
                args=[*args, *(part for name, value in told.items() for part in (name, value))],
            )
        )

    async def spent(self, record: Record) -> None:
        """Count a call for the batch that the speaker joined last."""
        joined = [one for one in record.batches if one.batch.startswith(BATCH)]
        if joined:
            await self._spend(keys=[keys.batch(self._account, max(joined).batch)])

    async def lead(self, batch_id: str, token: str, *, for_s: float) -> bool:
        """Be the one who feeds it, or stay so, for so long; False if somebody else is."""
        key = keys.batch_lead(self._account, batch_id)
        return bool(await self._lead(keys=[key], args=[token, round(for_s * 1000)]))

    async def let_go(self, batch_id: str, token: str) -> None:
        """Let somebody else feed it, at once."""
        await self._lead(keys=[keys.batch_lead(self._account, batch_id)], args=[token, 0])

    async def _several(self, batch_ids: Sequence[str]) -> list[Batch | UnreadableError | None]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for batch_id in batch_ids:
                pipe.hgetall(keys.batch(self._account, batch_id))
            found = await pipe.execute()
        return [_batch(batch_id, fields) for batch_id, fields in zip(batch_ids, found, strict=True)]

    def _key(self, batch: Batch) -> str:
        return keys.batch(self._account, batch.plan.batch_id)


def counters(batch: Batch, speakers: Mapping[SpeakerState, int]) -> dict[str, Any]:
    """What a batch has come to, as it is told: its rows add up, each of its speakers is in one state."""
    rows = {"total": batch.total, "read": batch.read} | {str(fate): batch.fates[fate] for fate in Fate}
    return {"rows": rows, "speakers": {str(state): speakers[state] for state in SpeakerState}, "calls": batch.calls}


def bounds(until: datetime | None, budget: int | None) -> dict[str, str]:
    """Until when, and for how many calls, as the store keeps it."""
    return {"until": until.isoformat() if until else "", "budget": "" if budget is None else str(budget)}


def _batch(batch_id: str, fields: Mapping[bytes, bytes]) -> Batch | UnreadableError | None:
    if b"state" not in fields:
        return None
    try:
        return _read({name.decode(): value.decode() for name, value in fields.items()})
    except (ValueError, TypeError, KeyError):
        return UnreadableError("batch", batch_id, "is damaged, or was written by a newer version")


def _read(told: Mapping[str, str]) -> Batch:
    return Batch(
        plan=_unpacked(told["plan"]),
        state=State(told["state"]),
        total=int(told["total"]) if told.get("total") else None,
        read=int(told["read"]),
        fates={fate: int(told.get(fate, 0)) for fate in Fate},
        calls=int(told.get("calls", 0)),
        why=told.get("why", ""),
        until=datetime.fromisoformat(told["until"]) if told.get("until") else None,
        budget=int(told["budget"]) if told.get("budget") else None,
        changed_at=datetime.fromisoformat(told["changed_at"]),
    )


def _packed(plan: Plan) -> str:
    return json.dumps(asdict(plan) | {"created_at": plan.created_at.isoformat()})


def _unpacked(text: str) -> Plan:
    told = json.loads(text)
    return Plan(
        **told
        | {
            "created_at": datetime.fromisoformat(told["created_at"]),
            "roots": None if told["roots"] is None else tuple(told["roots"]),
            "buckets": tuple(told.get("buckets", ())),
            "on_existing": OnExisting(told["on_existing"]),
            "goal": Goal(quality=Quality(told["goal"]["quality"]), samples=told["goal"]["samples"]),
        }
    )
