"""Sweep: look at every record whose time has come, so that nothing waits for ever.

It finds submissions without an answer, attempts cut off by a crash, and steps whose job was lost between store and
queue. It does no work itself: it queues what is due, and says when to look again.
"""

from worker.enrollment.steps import due_at
from worker.workshop import Workshop

_AT_ONCE = 500  # records in one sweep; the next comes in seconds


async def sweep(shop: Workshop) -> str:
    """Look at the records that are due; returns how many in words."""
    await shop.journal.forget_old()
    due = await shop.store.due(now=shop.now(), limit=_AT_ONCE)
    for speaker_id in due:
        record = (await shop.store.get(speaker_id)).record
        await shop.go_on(record)
        again = due_at(record, now=shop.now(), policy=shop.policy)
        await shop.store.look_again(speaker_id, at=again or shop.now())
    return f"{len(due)} looked at"
