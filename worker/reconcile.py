"""Reconcile: what the API says, by callback or when asked, becomes a fact on the record.

A callback may come twice, late, or before we have read the answer that announced it; `advance` takes them all.
"""

import structlog

from worker.contract.callback import EnrollmentStatus, ErrorBody, parse, read_result
from worker.enrollment.errors import RequestError
from worker.enrollment.facts import Answered, EnrollmentSeen, Fact
from worker.enrollment.record import Attempt, AttemptId, AttemptOutcome, RecordingId, Sample, SpeakerId, Via
from worker.enrollment.settle import settle
from worker.workshop import Workshop

_log = structlog.get_logger()
_PENDING = "InProgress"
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
    await shop.tell(speaker_id, fact)
    return fact.outcome


async def look_up(shop: Workshop, speaker_id: SpeakerId, recording_id: RecordingId, attempt_id: AttemptId) -> str:
    """Ask the API how an attempt ended: by its job, else by the enrollment's sums; returns the outcome in a word."""
    sample = (await shop.store.get(speaker_id)).record.sample(recording_id)
    attempt = next((known for known in sample.attempts if known.attempt_id == attempt_id), None)
    if attempt is None or attempt.answer:
        return "no_news"
    job = await shop.api.job(attempt.job_id) if attempt.job_id else None
    if job and job.status == _PENDING:
        return "pending"
    if job:
        facts: list[Fact] = [_answered(shop, sample, attempt_id, result=read_result(job), via=Via.LOOKUP)]
    else:
        facts = await _facts_by_sums(shop, speaker_id, sample, attempt=attempt)
    await shop.tell(speaker_id, *facts)
    return "answered" if facts else "unclear"


async def _facts_by_sums(shop: Workshop, speaker_id: SpeakerId, sample: Sample, *, attempt: Attempt) -> list[Fact]:
    status = await shop.api.enrollment(speaker_id)
    seen = status.to_enrollment() if status else None
    outcome = settle(
        before_s=attempt.before_s,
        after_s=seen.audio_s if seen else 0.0,
        sample_s=sample.clip.measures.duration_s if sample.clip else 0.0,
    )
    if outcome is None:
        return [EnrollmentSeen(at=shop.now(), enrollment=seen)] if seen else []
    answered = Answered(
        at=shop.now(),
        recording_id=sample.recording_id,
        attempt_id=attempt.attempt_id,
        outcome=outcome,
        via=Via.LOOKUP,
        enrollment=seen,
        code=None if outcome is AttemptOutcome.APPLIED else "no_trace",
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
