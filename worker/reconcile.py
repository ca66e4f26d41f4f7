"""Reconcile: what the API says, by callback or when asked, becomes a fact on the record.

A callback may come twice, late, or before we have read the answer that announced it; `advance` takes them all. An
attempt without an answer is settled by its job, else by the enrollment's sums, one speaker at a time or a hundred by
list. What none of them tells stays open, is asked again later, and is set aside in the end; nothing is guessed.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog

from config.points import point
from worker.api.governor import Turn
from worker.contract.callback import EnrollmentStatus, ErrorBody, parse, read_result
from worker.enrollment.errors import RecordNewerError, RequestError, RetryLaterError
from worker.enrollment.facts import Answered, EnrollmentSeen, Fact
from worker.enrollment.record import (
    Attempt,
    AttemptId,
    AttemptOutcome,
    Enrollment,
    Record,
    RecordingId,
    Sample,
    SpeakerId,
    Via,
)
from worker.enrollment.renewal import era_of, is_before
from worker.enrollment.settle import NO_TRACE, settle
from worker.enrollment.states import SampleState, sample_state
from worker.queue import jobs
from worker.workshop import Workshop

_log = structlog.get_logger()
_PENDING = "InProgress"
_PATIENCE = timedelta(seconds=65)  # a window of the usual limit; less than a job may take
_NOT_THE_SAMPLES_FAULT = {  # failures that say nothing of the sample: it is tried again, by the other call where asked
    "not_enrolled": "not_enrolled",
    "enrollment_exists": "exists",
    "internal": "api_failed",
    "not_ready": "api_unavailable",
    "store_away": "api_unavailable",
}


async def reconcile(shop: Workshop, callback_id: str) -> str:
    """Make one journaled callback a fact; returns the outcome in a word."""
    callback = await shop.journal.get(callback_id)
    if callback is None:
        return "expired"
    speaker_id = SpeakerId(callback.speaker_id)
    try:
        result = parse(callback.body)
    except RequestError as error:
        _log.warning("callback.unreadable", callback_id=callback_id, code=error.code)
        return error.code
    if isinstance(result, EnrollmentStatus) and result.speaker_id != speaker_id:
        _log.warning("callback.mismatched", callback_id=callback_id, speaker_id=speaker_id)
        return "callback_mismatched"
    sample = Sample(recording_id=RecordingId(callback.recording_id))
    fact = _answered(shop, sample, AttemptId(callback.attempt_id), result=result, via=Via.CALLBACK)
    point("reconcile.read")
    await shop.tell(speaker_id, fact)
    point("reconcile.told")
    return fact.outcome


async def look_up(shop: Workshop, speaker_id: SpeakerId, recording_id: RecordingId, attempt_id: AttemptId) -> str:
    """Ask the API how an attempt ended: by its job, else by the enrollment's sums; returns the outcome in a word."""
    record = (await shop.store.get(speaker_id)).record
    sample = record.sample(recording_id)
    attempt = next((known for known in sample.attempts if known.attempt_id == attempt_id), None)
    if attempt is None or attempt.answer:
        return "no_news"
    job = await shop.api.job(attempt.job_id) if attempt.job_id else None
    if job and job.status == _PENDING:
        return "pending"
    if job:
        facts: list[Fact] = [_answered(shop, sample, attempt_id, result=read_result(job), via=Via.LOOKUP)]
    else:
        status = await _enrollment(shop, speaker_id, patient=attempt.job_id is not None)
        seen = status.to_enrollment() if status else None
        facts = _by_sums(shop, sample, attempt=attempt, seen=seen, may_repeat=_may_repeat(shop, attempt))
    point("look_up.asked")
    await shop.tell(speaker_id, *facts)
    return "answered" if any(isinstance(fact, Answered) for fact in facts) else "unclear"


async def look_through(shop: Workshop, page: int, *, worth: int, turn: Turn) -> str:
    """Settle open attempts by one page of the API's list, then go on to the next page; returns how many in words.

    It costs one call for a hundred speakers. `worth` is how many calls it saves: a list of more pages is not read on.
    """
    asked = shop.now()
    listed = await shop.api.enrollments(page, turn=turn)
    records = await shop.store.many({SpeakerId(status.speaker_id) for status in listed.records})
    settled = 0
    for status in listed.records:
        record = records.get(SpeakerId(status.speaker_id))
        facts = _by_list(shop, record, status) if record and is_before(record.era, asked) else []
        if facts:
            with suppress(RecordNewerError):  # a job of its own looks it up and says so
                await shop.tell(SpeakerId(status.speaker_id), *facts)
                settled += 1
    if page < listed.total_pages < worth:
        await shop.queue.put([jobs.look_through(shop.queue.account, page + 1, worth=worth, turn=turn)])
    return f"{settled} settled"


async def _enrollment(shop: Workshop, speaker_id: SpeakerId, *, patient: bool) -> EnrollmentStatus | None:
    """What the API knows of the speaker.

    `patient`: wait for the leave here, since a call was spent already that would be spent again otherwise.
    """
    try:
        return await shop.api.enrollment(speaker_id)
    except RetryLaterError as error:
        if not patient or error.code != "rate_limited" or error.after > _PATIENCE:
            raise
        await asyncio.sleep(error.after.total_seconds())
        return await shop.api.enrollment(speaker_id)


def _may_repeat(shop: Workshop, attempt: Attempt) -> bool:
    """Whether an attempt without a trace did certainly not count, or its repetition would be known for one."""
    was_waited_for = not shop.settings.api.callbacks and attempt.job_id is None
    return shop.api.honours_keys or was_waited_for


def _by_list(shop: Workshop, record: Record, status: EnrollmentStatus) -> list[Fact]:
    """What one line of the list tells of the speaker's open attempts. A job's status tells more than unchanged sums."""
    seen = status.to_enrollment()
    told = list[Fact]()
    for sample in record.samples if record.erased_at is None else ():
        attempt = sample.open_attempt
        if attempt is None or sample_state(sample) is not SampleState.SUBMITTING:
            continue
        is_overdue = shop.now() - (attempt.started_at or shop.now()) >= shop.policy.answer_deadline
        may_repeat = is_overdue and attempt.job_id is None and _may_repeat(shop, attempt)
        facts = _by_sums(shop, sample, attempt=attempt, seen=seen, may_repeat=may_repeat)
        told += [fact for fact in facts if isinstance(fact, Answered)]
    return told


def _by_sums(
    shop: Workshop, sample: Sample, *, attempt: Attempt, seen: Enrollment | None, may_repeat: bool
) -> list[Fact]:
    outcome = settle(
        before_s=attempt.before_s,
        after_s=seen.audio_s if seen else 0.0,
        sample_s=sample.clip.measures.duration_s if sample.clip else None,
        may_repeat=may_repeat,
    )
    if outcome is None:
        era = era_of(attempt.attempt_id)
        return [EnrollmentSeen(at=shop.now(), enrollment=seen, era=era)] if seen else []
    answered = Answered(
        at=shop.now(),
        recording_id=sample.recording_id,
        attempt_id=attempt.attempt_id,
        outcome=outcome,
        via=Via.LOOKUP,
        enrollment=seen,
        code=None if outcome is AttemptOutcome.APPLIED else NO_TRACE,
        message=None if outcome is AttemptOutcome.APPLIED else "the API shows no trace of the attempt",
    )
    return [answered]


def _answered(
    shop: Workshop, sample: Sample, attempt_id: AttemptId, *, result: EnrollmentStatus | ErrorBody, via: Via
) -> Answered:
    if isinstance(result, ErrorBody):
        seen, (said, message) = None, result.reason()
        code = _NOT_THE_SAMPLES_FAULT.get(said, said)
        outcome = AttemptOutcome.NOT_APPLIED if said in _NOT_THE_SAMPLES_FAULT else AttemptOutcome.REFUSED
    else:
        outcome, seen, code, message = AttemptOutcome.APPLIED, result.to_enrollment(), None, None
    return Answered(
        at=shop.now(),
        recording_id=sample.recording_id,
        attempt_id=attempt_id,
        outcome=outcome,
        via=via,
        enrollment=seen,
        code=code,
        message=message,
    )
