"""Undo: what a rolled back batch handed in counts no more, speaker by speaker.

Who is done is no news the second time, so whoever is cut short is followed by one who begins anew. What it comes to at
the API is the business of `renew`.
"""

import asyncio

from config.points import point
from worker.enrollment.record import Record, SpeakerId
from worker.enrollment.states import SpeakerState
from worker.enrollment.undoing import undone
from worker.store.batches import Batch
from worker.store.listing import Wanted
from worker.workshop import Workshop

_PIECE = 100  # speakers at one time
_WAIT_S = 0.25


class Undoing:
    """Rolls one batch back, from the first of its speakers on."""

    def __init__(self, shop: Workshop, batch_id: str) -> None:
        self._shop = shop
        self._batch_id = batch_id
        self._cursor: str | None = ""

    async def is_done(self, batch: Batch) -> bool:
        """Whether all of its speakers were seen to; else sees to some of them, as far as there is room.

        They are looked through oldest change first: who is changed by it comes last once more, and is no news.
        """
        if self._cursor is None:
            return True
        speakers = await self._shop.store.counts(batch=self._batch_id)
        under_way = speakers[SpeakerState.PLANNED] + speakers[SpeakerState.ENROLLING]
        room = self._shop.settings.worker.batch_speakers - under_way
        if room <= 0:
            await asyncio.sleep(_WAIT_S)
            return False
        wanted, most = Wanted(batch=self._batch_id), min(room, _PIECE)
        page = await self._shop.store.page(wanted, limit=most, cursor=self._cursor or None, newest_first=False)
        for record in page.records:
            await undo(self._shop, record.speaker_id, batch)
        self._cursor = page.next
        return False


async def undo(shop: Workshop, speaker_id: SpeakerId, batch: Batch) -> Record:
    """Let what the batch handed in of a speaker count no more, and queue what follows."""
    while True:
        stored = await shop.store.get(speaker_id)
        fact = undone(stored.record, batch.plan.batch_id, since=batch.changed_at)
        after = await shop.store.apply_to(stored, fact)
        if after is not None:
            break
    point("undo.stored")
    await shop.go_on(after.record)
    return after.record
