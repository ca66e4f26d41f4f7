"""Batches in tests: a manifest that is handed in, and its feeder for as long as it is wanted."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis

from config.process import end
from tests.support.waiting import until
from worker.contract.manifest import JSONL
from worker.enrollment.facts import SampleRejected
from worker.enrollment.record import Goal, Quality, SpeakerId
from worker.feed import Feeder, Ways
from worker.intake import Intake
from worker.piece import Taking
from worker.store.batches import Batch, Fate, OnExisting, Plan, State
from worker.store.events import EventLog
from worker.store.listing import Wanted
from worker.store.manifests import Manifests, Problem
from worker.workshop import Workshop

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class World:
    """A workshop that feeds, and what can be seen of a batch."""

    shop: Workshop
    ways: Ways
    folder: Path

    @classmethod
    def of(cls, shop: Workshop, redis: ArqRedis) -> "World":
        account, folder = shop.settings.account, shop.settings.data_dir / "calls"
        folder.mkdir(exist_ok=True)
        taking = Taking(shop.store, Intake(shop.store, shop.queue, policy=shop.policy), now=shop.now)
        events = EventLog(redis, account=account, kept=10_000)
        return cls(shop, Ways(shop, Manifests(shop.objects, account=account), taking, events), folder)

    def recording(self, name: str) -> str:
        (self.folder / name).write_bytes(name.encode())
        return str(self.folder / name)

    def rows(self, number: int, *, speakers: int) -> list[dict[str, Any]]:
        return [{"id": f"s{n % speakers}", "file": self.recording(f"{n}.wav")} for n in range(number)]

    async def begin(
        self,
        rows: Rows,
        batch_id: str = "bat_1",
        *,
        on_existing: OnExisting = OnExisting.AUGMENT,
        until: datetime | None = None,
        budget: int | None = None,
        samples: int = 5,
    ) -> None:
        path = self.folder / "manifest"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        first = batch_named(batch_id, at=self.shop.now()).plan
        goal = Goal(quality=Quality.HIGH, samples=samples)
        plan = replace(first, size=path.stat().st_size, on_existing=on_existing, goal=goal)
        await self.ways.manifests.put(batch_id, path)
        assert await self.shop.batches.add(plan, until=until, budget=budget)

    async def batch(self, batch_id: str = "bat_1") -> Batch:
        found = await self.shop.batches.get(batch_id)
        assert found
        assert found.read == sum(found.fates.values())
        return found

    async def is_in(self, *states: State, batch_id: str = "bat_1") -> bool:
        return (await self.batch(batch_id)).state in states

    async def has_fed(self, rows: int, batch_id: str = "bat_1") -> bool:
        return (await self.batch(batch_id)).read >= rows

    async def problems(self, batch_id: str = "bat_1") -> list[Problem]:
        return [one async for one in self.ways.manifests.problems(batch_id, before=10**9)]

    async def under_way(self, batch_id: str = "bat_1") -> list[str]:
        """Speakers of the batch that are not settled."""
        page = await self.shop.store.page(Wanted(batch=batch_id), limit=1000)
        return [one.speaker_id for one in page.records if any(sample.prepared is None for sample in one.samples)]

    async def settle(self, batch_id: str = "bat_1") -> int:
        """Have the recordings of all that are under way found wanting; returns how many speakers that were."""
        names = await self.under_way(batch_id)
        for name in names:
            record = (await self.shop.store.get(SpeakerId(name))).record
            await self.shop.store.apply(
                record.speaker_id,
                *(
                    SampleRejected(at=self.shop.now(), recording_id=one.recording_id, code="silent", message="-")
                    for one in record.samples
                ),
            )
        return len(names)

    @asynccontextmanager
    async def feeding(self, batch_id: str = "bat_1") -> AsyncIterator["asyncio.Task[None]"]:
        """Feed a batch until the block ends."""
        feeder = Feeder(self.ways, batch_id)
        task = asyncio.create_task(feeder.run())
        try:
            yield task
        finally:
            (ended,) = await end(task)
            await feeder.close()
            assert ended is None or isinstance(ended, asyncio.CancelledError), repr(ended)

    async def settled(self, batch_id: str = "bat_1") -> Batch:
        """Feed it to its end, settling its speakers meanwhile."""

        async def is_over() -> bool:
            await self.settle(batch_id)
            return await self.is_in(*State, batch_id=batch_id) and task.done()

        async with self.feeding(batch_id) as task:
            await until(is_over)
        return await self.batch(batch_id)


def fates(batch: Batch) -> dict[str, int]:
    """What became of its rows, without those of which there are none."""
    return {str(fate): batch.fates[fate] for fate in Fate if batch.fates[fate]}


def batch_named(batch_id: str, *, at: datetime) -> Batch:
    """A batch of which nothing was read."""
    plan = Plan(
        batch_id=batch_id,
        name="calls",
        created_at=at,
        kind=JSONL,
        size=0,
        sha256="",
        folder="",
        roots=None,
        on_existing=OnExisting.AUGMENT,
        goal=Goal(),
    )
    told: dict[str, Any] = {"total": None, "read": 0, "calls": 0, "why": "", "until": None, "budget": None}
    return Batch(plan=plan, state=State.VALIDATING, fates=dict.fromkeys(Fate, 0), changed_at=at, **told)
