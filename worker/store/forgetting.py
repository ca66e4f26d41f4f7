"""Forgetting batches: their manifests, what was wrong with their rows, their counters. Their speakers stay.

And forgetting erased speakers in batches that are kept. The manifest goes first: who is cut short between the two
forgets the rest next time.
"""

import contextlib
from datetime import datetime

from worker.enrollment.errors import RejectError
from worker.enrollment.record import SpeakerId
from worker.store.batches import ENDED, OPEN, RESTING, Batches
from worker.store.manifests import Manifests
from worker.store.status import StatusStore

_AT_ONCE = 20  # in one sweep; the next comes in seconds


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
