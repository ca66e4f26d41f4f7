"""Forgetting batches: their manifests, what was wrong with their rows, their counters. Their speakers stay.

And forgetting erased speakers in batches that are kept. The manifest goes first: who is cut short between the two
forgets the rest next time.
"""

import contextlib
import time
from datetime import datetime

from worker.enrollment.errors import RejectError
from worker.enrollment.record import SpeakerId
from worker.store.batches import ENDED, OPEN, RESTING, Batches
from worker.store.manifests import Manifests
from worker.store.status import StatusStore

_AT_ONCE = 20  # in one sweep; the next comes in seconds
_SEEK_S = 2.0  # likewise


async def forget(batches: Batches, manifests: Manifests, batch_id: str) -> None:
    """Forget a batch that has ended, or rests."""
    await manifests.forget(batch_id)
    await batches.drop(batch_id, unless=OPEN)


async def forget_old(batches: Batches, manifests: Manifests, *, before: datetime) -> int:
    """Forget batches that came to rest or to their end before a time; returns how many.

    One that rests is bound by the same time: its manifest names people as well.
    """
    gone = 0
    for batch in await batches.handed_in(before=before):
        if batch.state in ENDED | RESTING and batch.changed_at < before:
            await forget(batches, manifests, batch.plan.batch_id)
            gone += 1
            if gone == _AT_ONCE:
                break
    return gone


async def unname(batches: Batches, manifests: Manifests, store: StatusStore) -> None:
    """Take erased speakers out of one batch that has ended; the next one is for the next sweep."""
    for batch_id, wanted in (await batches.unnaming.wanted()).items():
        batch = await batches.get(batch_id)
        known = await store.many([SpeakerId(one) for one in wanted])
        names = [name for name, record in known.items() if record.erased_at]
        if not names or (batch is not None and batch.state not in ENDED):
            continue
        if batch is not None:
            with contextlib.suppress(RejectError):  # its manifest is no longer stored
                await manifests.unname(batch.plan, names)
        await batches.unnaming.done(batch_id, names)
        return


async def seek(batches: Batches, manifests: Manifests, store: StatusStore) -> None:
    """Find batches that took nothing of erased speakers and name them: for a moment, the next sweep goes on.

    Only rows that were not taken are read, not whole manifests; a batch that has not ended is written anew in the end.
    """
    left = await batches.unnaming.seeking()
    if not left.sought:
        known = await store.many([SpeakerId(one) for one in left.lately])
        if names := [name for name, record in known.items() if record.erased_at]:
            await batches.unnaming.begin(names)
        return
    until = time.monotonic() + _SEEK_S
    for batch_id in sorted(left.unseen):
        batch = await batches.get(batch_id)
        if batch is not None:
            has_ended = batch.state in ENDED
            for name in await manifests.not_taken(batch_id, left.sought) if has_ended else left.sought:
                await batches.unnaming.want(SpeakerId(name), [batch_id])
        await batches.unnaming.seen(batch_id)
        if time.monotonic() > until:
            return
    await batches.unnaming.end(left.sought)
