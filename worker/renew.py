"""Renew: have the API delete the enrollment of a speaker who is to be enrolled anew, or taken out for now.

What is replaced stays until a sample of the new ones is judged and found good. `RemovalStarted` is committed before the
call. Whoever was cut short is followed only once the API has had as long as for an answer; whoever was held up for so
long doesn't call any more: by then somebody else may have, and the first new sample may be there. So the enrollment is
deleted once, before anything that comes after it.
"""

from datetime import datetime, timedelta

from config.points import point
from worker.api.governor import Turn
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import ConflictSuspected, RemovalStarted, Removed, ReplacementBegun
from worker.enrollment.record import Record, SpeakerId
from worker.enrollment.renewal import is_removing, must_remove, pending
from worker.enrollment.states import SampleState, is_urgent, replacing, sample_state
from worker.enrollment.steps import Renew, next_steps
from worker.likeness import judge
from worker.store.status import Stored
from worker.workshop import Workshop

_US = timedelta(microseconds=1)


async def renew(shop: Workshop, speaker_id: SpeakerId) -> str:
    """Do what has to be done before the speaker can be enrolled anew; returns the outcome in a word."""
    stored = await shop.store.get(speaker_id)
    now = shop.now()
    step = next((one for one in next_steps(stored.record, now=now, policy=shop.policy) if isinstance(one, Renew)), None)
    if step is None:
        await shop.go_on(stored.record)
        return "no_news"
    if step.at > now:
        raise RetryLaterError("too_soon", "a deletion may be under way", after=step.at - now)
    if replacing(stored.record) and not must_remove(stored.record):
        stored, code = await _replaced(shop, stored)
        if code:
            return code
    if not must_remove(stored.record) and not is_removing(stored.record):
        await shop.go_on(stored.record)
        return "nothing_to_delete"
    return await _removed(shop, stored)


async def _replaced(shop: Workshop, stored: Stored) -> tuple[Stored, str | None]:
    """Let the new samples take the place of the others if one of them may be handed in; else why not."""
    ordered, new = pending(stored.record), replacing(stored.record)
    ready = [one for one in new if sample_state(one) is SampleState.READY]
    if ordered is None:
        raise AssertionError(stored.record.speaker_id)
    if len(ready) == len(new):  # none of them is at the API already
        facts = await judge(shop, stored.record, ready[0])
        judged = await shop.store.apply_to(stored, *facts)
        if judged is None:
            raise _superseded()
        stored = judged
        if sample_state(stored.record.sample(ready[0].recording_id)) is not SampleState.READY:
            await shop.go_on(stored.record)
            return stored, next(fact.code for fact in facts if not isinstance(fact, ConflictSuspected))
    begun = await shop.store.apply_to(stored, ReplacementBegun(at=ordered.at, batch=ordered.batch))
    if begun is None:
        raise _superseded()
    point("renew.begun")
    return begun, None


async def _removed(shop: Workshop, stored: Stored) -> str:
    speaker_id = stored.record.speaker_id
    leave = await shop.api.reserve(f"renew:{speaker_id}", turn=_turn(stored.record))
    started = RemovalStarted(at=_later(stored.record.era, shop.now()))
    if await shop.store.apply_to(stored, started) is None:
        raise _superseded()
    point("renew.started")
    await shop.voices.forget(speaker_id)
    if shop.now() - started.at >= shop.policy.answer_deadline:
        raise RetryLaterError("held_up", "somebody else may have gone on meanwhile", after=timedelta())
    await shop.api.delete(speaker_id, leave=leave)
    point("renew.deleted")
    await shop.tell(speaker_id, Removed(at=started.at))
    return "deleted"


def _later(last: datetime | None, now: datetime) -> datetime:
    """Now, or right after the last era where the clock was set back: each era is later than the one before."""
    return now if last is None or now > last else last + _US


def _turn(record: Record) -> Turn:
    """As whoever has begun."""
    return Turn.FINISH if is_urgent(record) else Turn.BATCH_FINISH


def _superseded() -> RetryLaterError:
    return RetryLaterError("superseded", "the record changed meanwhile", after=timedelta())
