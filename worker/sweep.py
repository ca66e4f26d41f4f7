"""Sweep: look at every record whose time has come, so that nothing waits for ever.

It finds submissions without an answer, attempts cut off by a crash, and steps whose job was lost between store and
queue. It does no work itself: it queues what is due, and says when to look again. Where many attempts are overdue at
once, they are looked for in the API's list, which costs one call for a hundred; what the list doesn't tell is asked
one by one when it is due again.
"""

import math
from datetime import datetime, timedelta

import structlog

from worker.api.governor import Turn
from worker.enrollment.errors import RecordNewerError
from worker.enrollment.record import Record
from worker.enrollment.states import SpeakerState
from worker.enrollment.steps import LookUp, Policy, Step, due_at, next_steps
from worker.queue import jobs
from worker.store.forgetting import forget_old, seek, unname
from worker.store.manifests import Manifests
from worker.workshop import Workshop

_log = structlog.get_logger()
_AT_ONCE = 500  # records in one sweep; the next comes in seconds
_PER_PAGE = 100
_LONGEST_CHECK = timedelta(minutes=15)


async def sweep(shop: Workshop) -> str:
    """Look at the records that are due; returns how many in words."""
    await shop.journal.forget_old()
    now = shop.now()
    due = await shop.store.due(now=now, limit=_AT_ONCE)
    records = await shop.store.many(due)
    listed = await _look_through(shop, list(records.values()), now=now)
    for speaker_id in due:
        record = records.get(speaker_id) or Record(speaker_id=speaker_id)
        try:
            await shop.go_on(record, but=listed)
        except RecordNewerError as error:
            _log.warning("sweep.passed_over", speaker_id=speaker_id, **error.context())
        again = next_look(record, now=now, policy=shop.policy)
        await shop.store.look_again(speaker_id, at=again or now)
    await _forget(shop)
    return f"{len(due)} looked at"


async def _forget(shop: Workshop) -> None:
    manifests = Manifests(shop.objects, account=shop.settings.account)
    await forget_old(shop.batches, manifests, before=shop.now() - shop.settings.retention.batches)
    await unname(shop.batches, manifests, shop.store)
    await seek(shop.batches, manifests, shop.store)


def first_looks(record: Record, *, now: datetime, policy: Policy) -> list[Step]:
    """Look-ups of attempts that are overdue for the first time."""
    return [
        step
        for step in next_steps(record, now=now, policy=policy)
        if isinstance(step, LookUp)
        and step.is_overdue
        and step.attempt.started_at
        and step.at <= step.attempt.started_at + 2 * policy.answer_deadline
    ]


def next_look(record: Record, *, now: datetime, policy: Policy) -> datetime | None:
    """When to look at the record again; None if it is settled.

    A step that waits for its turn for hours is looked at ever more seldom: its job can be lost only between store and
    queue, which is right after a change.
    """
    due = due_at(record, now=now, policy=policy)
    if due is None:
        return None
    answers = [step.at for step in next_steps(record, now=now, policy=policy) if isinstance(step, LookUp)]
    unchanged = now - record.updated_at if record.updated_at else timedelta()
    return min([max(due, now + min(unchanged / 2, _LONGEST_CHECK)), *(max(at, now) for at in answers)])


async def _look_through(shop: Workshop, records: list[Record], *, now: datetime) -> frozenset[Step]:
    """Have the list read if it saves calls; returns the look-ups that it stands for."""
    looks = frozenset(step for record in records for step in first_looks(record, now=now, policy=shop.policy))
    counts = await shop.store.counts()
    under_way = counts[SpeakerState.ENROLLING]
    known = under_way + counts[SpeakerState.COMPLETE] + counts[SpeakerState.INCOMPLETE]
    pages = max(1, math.ceil(known / _PER_PAGE))
    account = shop.queue.account
    if pages < len(looks):
        await shop.queue.put([jobs.look_through(account, 1, worth=len(looks), turn=Turn.FINISH)])
        return looks
    if pages < under_way and shop.settings.api.calls:  # a limited budget is not left idle
        at = now + shop.policy.answer_deadline
        await shop.queue.put([jobs.look_through(account, 1, worth=under_way, turn=Turn.IDLE, at=at)])
    return frozenset()
