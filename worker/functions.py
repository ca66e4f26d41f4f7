"""The arq functions: four lines each around the steps, and the policy for what goes wrong in them.

No exception crosses the queue. What may pass is tried again later; Redis lost is not the job's fault; a defect of ours
is tried a few times, then told in the log, and its sample is set aside.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from arq import Retry
from redis.exceptions import RedisError

from worker import prepare as preparing
from worker import reconcile as reconciling
from worker import renew as renewing
from worker import shortlist as shortlisting
from worker import submit as submitting
from worker import sweep as sweeping
from worker import unenroll as unenrolling
from worker.api.governor import Turn
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import SampleParked
from worker.enrollment.record import AttemptId, RecordingId, SpeakerId
from worker.enrollment.steps import Submit, next_steps
from worker.queue.running import NotYet
from worker.store.shortlists import Shortlist
from worker.workshop import Workshop

Context = dict[str, Any]
_log = structlog.get_logger()
_DEFECT_TRIES = 3
_REDIS_PAUSE_S = 1.0
_TRIES = frozenset({"source_unreachable", "source_unavailable"})  # each counts; `prepare` gives up after some
LONGEST_S = 120.0
LONGEST_PREPARE_S = 600.0  # half an hour of audio over a slow link, on a busy machine


async def prepare(ctx: Context, speaker_id: str, recording_id: str) -> None:
    """Measure one recording and cut its sample."""
    shop: Workshop = ctx["shop"]
    who, what = SpeakerId(speaker_id), RecordingId(recording_id)
    step = partial(preparing.prepare, shop, who, what, job_try=ctx["job_try"])
    ended = await attempt(ctx, step, longest_s=LONGEST_PREPARE_S)
    if isinstance(ended, Exception):
        await set_aside(shop, "prepare", (who, what), code="internal_error", reason=type(ended).__name__)


async def submit(ctx: Context, speaker_id: str) -> None:
    """Hand in the speaker's next sample."""
    shop: Workshop = ctx["shop"]
    ended = await attempt(ctx, lambda: submitting.submit(shop, SpeakerId(speaker_id)))
    if isinstance(ended, Exception):
        await set_aside(shop, "submit", (speaker_id,), code="internal_error", reason=type(ended).__name__)


async def reconcile(ctx: Context, callback_id: str) -> None:
    """Make one callback a fact."""
    await attempt(ctx, lambda: reconciling.reconcile(ctx["shop"], callback_id))


async def look_up(ctx: Context, speaker_id: str, recording_id: str, attempt_id: str) -> None:
    """Ask the API how an attempt ended."""
    shop: Workshop = ctx["shop"]
    names = SpeakerId(speaker_id), RecordingId(recording_id), AttemptId(attempt_id)
    await attempt(ctx, lambda: reconciling.look_up(shop, *names))


async def look_through(ctx: Context, page: str, worth: str, turn: str) -> None:
    """Settle open attempts by one page of the API's list."""
    shop: Workshop = ctx["shop"]
    await attempt(ctx, lambda: reconciling.look_through(shop, int(page), worth=int(worth), turn=Turn(int(turn))))


async def unenroll(ctx: Context, speaker_id: str) -> None:
    """Delete what is held of an erased speaker."""
    await attempt(ctx, lambda: unenrolling.unenroll(ctx["shop"], SpeakerId(speaker_id)))


async def renew(ctx: Context, speaker_id: str) -> None:
    """Have the API delete what is to be enrolled anew."""
    await attempt(ctx, lambda: renewing.renew(ctx["shop"], SpeakerId(speaker_id)))


async def shortlist(ctx: Context, shortlist_id: str, source: str, channel: str) -> None:
    """Look for the speakers who may be the people in a recording."""
    shop: Workshop = ctx["shop"]
    number = int(channel) if channel else None
    step = partial(shortlisting.shortlist, shop, shortlist_id, source, number, job_try=ctx["job_try"])
    ended = await attempt(ctx, step, longest_s=LONGEST_PREPARE_S)
    if isinstance(ended, Exception):
        await set_aside(shop, "shortlist", (shortlist_id,), code="internal_error", reason=type(ended).__name__)


async def sweep(ctx: Context) -> None:
    """Look at what is overdue."""
    await attempt(ctx, lambda: sweeping.sweep(ctx["shop"]))


async def set_aside(
    shop: Workshop, function: str, args: tuple[Any, ...], *, code: str = "poison", reason: str = "it ends the worker"
) -> None:
    """Park the sample of a job that can't be done; its neighbours go on.

    What `reconcile` or `look_up` would have told is asked of the API by the sweep, and given up in time.
    """
    match function, args:
        case "prepare", (speaker_id, recording_id):
            pass
        case "submit", (speaker_id,):
            record = (await shop.store.get(speaker_id)).record
            steps = next_steps(record, now=shop.now(), policy=shop.policy)
            recording_id = next((step.recording_id for step in steps if isinstance(step, Submit)), None)
        case "shortlist", (shortlist_id, *_):
            message = f"looking for its people failed ({reason}); this is a defect of Voxroll, not of the recording"
            await shop.shortlists.put(shortlist_id, Shortlist(code=code, message=message))
            return
        case _:
            return
    if recording_id is not None:
        message = f"its {function} failed ({reason}); this is a defect of Voxroll, not of the recording"
        parked = SampleParked(at=shop.now(), recording_id=recording_id, code=code, message=message)
        await shop.tell(speaker_id, parked)


async def attempt(ctx: Context, step: Callable[[], Awaitable[str]], *, longest_s: float = LONGEST_S) -> str | Exception:
    """Run one step and write its canonical line; returns its outcome, or the defect that ended its last try."""
    log = _log.bind(job=ctx["job_id"], attempt=ctx["job_try"])
    began = time.monotonic()
    try:
        async with asyncio.timeout(longest_s) as clock:
            outcome = await step()
    except RetryLaterError as error:
        log.info("job.postponed", code=error.code, reason=error.message, after_s=error.after.total_seconds())
        raise (Retry if error.code in _TRIES else NotYet)(defer=error.after) from error
    except Exception as error:
        if isinstance(error, RedisError | OSError) and not clock.expired():
            log.warning("job.interrupted", reason=type(error).__name__, after_s=_REDIS_PAUSE_S)
            raise NotYet(defer=_REDIS_PAUSE_S) from error
        last = ctx["job_try"] >= _DEFECT_TRIES
        log.exception("job.failed", again=not last)
        if last:
            return error
        raise Retry(defer=2.0 ** ctx["job_try"]) from error
    log.info("job.done", outcome=outcome, seconds=round(time.monotonic() - began, 3))
    return outcome
