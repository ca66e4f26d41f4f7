"""Feed: bring the rows of a batch in, so many at a time that memory and queue don't grow with it.

What is read is counted after it was taken in: whoever is cut short between the two reads those rows again, and the same
recording handed in twice is one. A row is refused with a code and the others go on. Single orders stand before batches
(`is_urgent`), and of two batches none fills the queue alone.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from config.points import point
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.enrollment.record import SpeakerId
from worker.enrollment.states import SpeakerState
from worker.piece import Taking, wanted
from worker.store.batches import Batch, Fate, State, counters
from worker.store.events import EventLog, written
from worker.store.manifests import Manifests, Pieces
from worker.undo import Undoing
from worker.workshop import Workshop

_PIECE = 100  # rows at one time
_WAIT_S = (0.05, 0.25)  # until the queue has room; until speakers are settled
_AGAIN_S = 1.0
_TELL_EVERY = timedelta(seconds=10)
_TELL_SHARE = 0.05
_OPEN_STATES = (SpeakerState.PLANNED, SpeakerState.ENROLLING)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ways:
    """What feeders work with."""

    shop: Workshop
    manifests: Manifests
    taking: Taking
    events: EventLog


class Feeder:
    """Feeds one batch, while nobody else does."""

    def __init__(self, ways: Ways, batch_id: str) -> None:
        self._ways = ways
        self._batch_id = batch_id
        self._undoing = Undoing(ways.shop, batch_id)
        self._pieces: Pieces | None = None
        self._at = 0  # the row that they go on with
        self._stack = AsyncExitStack()
        self._told = (-1, -1)  # rows read and speakers settled, when it was told last
        self._told_at = ways.shop.now() - _TELL_EVERY

    async def run(self) -> None:
        """Work until the batch rests or has ended."""
        while True:
            try:
                batch = await self._ways.shop.batches.get(self._batch_id)
                if batch is None or not await self._try_step(batch):
                    return
            except (RedisError, OSError, RetryLaterError) as error:
                _log.warning("batch.interrupted", batch=self._batch_id, reason=type(error).__name__)
                await self.close()
                await asyncio.sleep(_AGAIN_S)

    async def close(self) -> None:
        """Close the manifest; it is opened again where the store says."""
        self._pieces = None
        await self._stack.aclose()

    async def _try_step(self, batch: Batch) -> bool:
        try:
            return await self._step(batch)
        except RejectError as error:
            await self._end(batch, State.CANCELLED, why=f"{error.code}: its manifest is no longer stored")
            return False

    async def _step(self, batch: Batch) -> bool:
        """One step; False if there is nothing to do."""
        match batch.state:
            case State.VALIDATING:
                await self._validate(batch)
            case State.IN_PROGRESS:
                await self._feed(batch)
            case State.CANCELLING:
                await self._see_out(batch, State.CANCELLED)
            case State.ROLLING_BACK:
                if await self._undoing.is_done(batch):
                    await self._see_out(batch, State.ROLLED_BACK)
            case _:
                return False
        return True

    async def _validate(self, batch: Batch) -> None:
        """Count the rows."""
        async with self._ways.manifests.opened(batch.plan) as pieces:
            total = await pieces.count()
        await self._ways.shop.batches.turn(batch, State.IN_PROGRESS, at=self._ways.shop.now(), total=total)

    async def _feed(self, batch: Batch) -> None:
        """A piece of the manifest, as far as there is room; once it is fed, wait for its speakers."""
        now = self._ways.shop.now()
        if batch.is_fed:
            await self._see_out(batch, State.COMPLETED)
            return
        if batch.until and now >= batch.until:
            await self._ways.shop.batches.turn(batch, State.EXPIRED, at=now, why="until: the time is over")
            return
        speakers = await self._ways.shop.store.counts(batch=self._batch_id)
        await self._tell(batch, speakers)
        under_way = sum(speakers[state] for state in _OPEN_STATES)
        if batch.budget is not None and batch.calls >= batch.budget and not under_way:
            why = f"budget: {batch.calls} of {batch.budget} calls are spent"
            await self._ways.shop.batches.turn(batch, State.PAUSED, at=now, why=why)
            return
        room = min(self._ways.shop.settings.worker.batch_speakers - under_way, _affordable(batch, under_way))
        if room <= 0:
            await asyncio.sleep(_WAIT_S[1])
            return
        free = await self._free()
        if free <= 0:
            await asyncio.sleep(_WAIT_S[0])
            return
        await self._piece(batch, min(room, free, _PIECE))

    async def _free(self) -> int:
        """Rows that the queue has room for: a few times what one worker has in hand, shared by all batches."""
        shop = self._ways.shop
        sharing = max(1, len(await self._ways.shop.batches.open()))
        free = 4 * shop.settings.worker.concurrency - await shop.queue.waiting()
        return -(-free // sharing)

    async def _piece(self, batch: Batch, most: int) -> None:
        """Take rows in, write down what is wrong with others, then count them."""
        pieces = await self._open(batch)
        self._at = -1  # who is cut short from here on begins anew
        rows = await pieces.each(lambda row: wanted(row, batch.plan), most)
        if not rows:
            raise AssertionError(f"{batch.read} rows read, {batch.total} counted")
        problems = await self._ways.taking.take_in(batch.plan, rows, behind=batch.read)
        await self._take_out_erased({rows[problem.number - batch.read].row.speaker_id for problem in problems})
        point("feed.taken")
        await self._ways.manifests.note(self._batch_id, problems, behind=batch.read, rows=len(rows))
        fates = Counter(problem.fate for problem in problems)
        fates[Fate.TAKEN] = len(rows) - len(problems)
        await self._ways.shop.batches.fed(batch, rows=len(rows), fates=fates)
        self._at = batch.read + len(rows)
        point("feed.counted")

    async def _take_out_erased(self, names: Collection[str | None]) -> None:
        """Have those who were erased before taken out of rows that are not taken, whatever is wrong with these."""
        shop = self._ways.shop
        records = await shop.store.many([SpeakerId(name) for name in names if name])
        for name, record in records.items():
            if record.erased_at:
                await shop.batches.unnaming.want(name, [self._batch_id])

    async def _open(self, batch: Batch) -> Pieces:
        """The manifest, from the row on that the store says; somebody else may have read on."""
        if self._pieces is None or self._at != batch.read:
            await self.close()
            opened = self._ways.manifests.opened(batch.plan, behind=batch.read)
            self._pieces = await self._stack.enter_async_context(opened)
            self._at = batch.read
        return self._pieces

    async def _see_out(self, batch: Batch, to: State) -> None:
        """End it once all its speakers are settled."""
        speakers = await self._ways.shop.store.counts(batch=self._batch_id)
        if any(speakers[state] for state in _OPEN_STATES):
            await self._tell(batch, speakers)
            await asyncio.sleep(_WAIT_S[1])
            return
        has_errors = batch.fates[Fate.BAD] or speakers[SpeakerState.FAILED] or speakers[SpeakerState.INCOMPLETE]
        ended = State.COMPLETED_WITH_ERRORS if to is State.COMPLETED and has_errors else to
        await self._end(batch, ended, why=batch.why)

    async def _end(self, batch: Batch, to: State, *, why: str) -> None:
        now = self._ways.shop.now()
        event = written("batch.completed", await self._data(replace(batch, state=to)), at=now)
        if await self._ways.shop.batches.turn(batch, to, at=now, event=event, why=why):
            _log.info("batch.ended", batch=self._batch_id, state=str(to), rows=batch.read)

    async def _tell(self, batch: Batch, speakers: dict[SpeakerState, int]) -> None:
        """Tell how far it is: every ten seconds at most, or by 5 % of its rows."""
        under_way = sum(speakers[state] for state in _OPEN_STATES)
        got = (batch.read, sum(speakers.values()) - under_way)
        steps = max(abs(now - then) for now, then in zip(got, self._told, strict=True))
        now = self._ways.shop.now()
        is_time = now - self._told_at >= _TELL_EVERY
        if got != self._told and (is_time or steps >= _TELL_SHARE * (batch.total or 0)):
            await self._ways.events.tell("batch.progressed", await self._data(batch), at=now)
            self._told, self._told_at = got, now

    async def _data(self, batch: Batch) -> dict[str, object]:
        speakers = await self._ways.shop.store.counts(batch=self._batch_id)
        names = {"batchId": self._batch_id, "name": batch.plan.name, "state": str(batch.state)}
        return names | counters(batch, speakers)


def _affordable(batch: Batch, under_way: int) -> int:
    """Rows whose calls the budget allows: one for each, beside what those under way may cost still."""
    if batch.budget is None:
        return _PIECE
    return batch.budget - batch.calls - under_way * batch.plan.goal.samples
