"""Forgetting batches: their manifests, what was wrong with their rows, their counters. Their speakers stay.

The manifest goes first: who is cut short between the two forgets the rest next time.
"""

from datetime import datetime

from worker.store.batches import ENDED, OPEN, RESTING, Batches
from worker.store.manifests import Manifests

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
