"""Submit: hand the speaker's next sample in, one at a time per speaker.

`SubmissionStarted` is committed before the call, so that a crash between call and answer leaves a trace that the sweep
follows up. The answer is a fact whatever it is. webhookUrl carries a token that names this one attempt.
"""

import uuid
from datetime import datetime, timedelta

from worker.api.client import Accepted, Applied, Doubtful, NotApplied, Refused, Reply
from worker.contract.token import Claims, mint
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import Answered, EnrollmentSeen, Fact, SampleParked, SubmissionAccepted, SubmissionStarted
from worker.enrollment.record import AttemptId, AttemptOutcome, Sample, SpeakerId, Verb, Via
from worker.enrollment.steps import Submit, next_steps, next_verb
from worker.store.status import Stored
from worker.workshop import Workshop

CALLBACK_PATH = "/v1/callbacks/"


async def submit(shop: Workshop, speaker_id: SpeakerId) -> str:
    """Hand in the next sample of a speaker, if there is one to hand in; returns the outcome in a word."""
    stored, sample = await _next(shop, speaker_id)
    if sample is None or sample.clip is None:
        return "no_news"
    clip = await shop.objects.get(sample.clip.object_key)
    if clip is None:
        await shop.tell(speaker_id, _lost(sample, at=shop.now()))
        return "clip_lost"
    await shop.api.reserve()
    attempt_id, verb = AttemptId(uuid.uuid4().hex), next_verb(stored.record, sample)
    started = SubmissionStarted(
        at=shop.now(),
        recording_id=sample.recording_id,
        attempt_id=attempt_id,
        verb=verb,
        before_s=stored.record.enrollment.audio_s if stored.record.enrollment else 0.0,
    )
    if await shop.store.apply_to(stored, started) is None:
        raise RetryLaterError("superseded", "the record changed meanwhile", after=timedelta())
    reply = await shop.api.submit(
        speaker_id,
        clip,
        create=verb is Verb.POST,
        callback_url=_callback_url(shop, speaker_id, sample, attempt_id=attempt_id),
        idempotency_key=f"{speaker_id}-{sample.recording_id}",
    )
    facts = _facts(reply, sample, attempt_id=attempt_id, at=shop.now())
    await shop.tell(speaker_id, *facts)
    await shop.tell(speaker_id, *await _seen(shop, speaker_id, reply))
    return type(reply).__name__.lower()


async def _next(shop: Workshop, speaker_id: SpeakerId) -> tuple[Stored, Sample | None]:
    stored = await shop.store.get(speaker_id)
    now = shop.now()
    steps = next_steps(stored.record, now=now, policy=shop.policy)
    step = next((step for step in steps if isinstance(step, Submit)), None)
    if step is None:
        return stored, None
    if step.at > now:
        raise RetryLaterError("too_soon", "the next attempt is due later", after=step.at - now)
    return stored, stored.record.sample(step.recording_id)


def _callback_url(shop: Workshop, speaker_id: SpeakerId, sample: Sample, *, attempt_id: AttemptId) -> str | None:
    if not shop.settings.api.callbacks:
        return None
    claims = Claims(
        account=shop.settings.account,
        speaker_id=speaker_id,
        recording_id=sample.recording_id,
        attempt_id=attempt_id,
        expires_at=shop.now() + shop.settings.webhook.token_ttl,
    )
    return shop.settings.webhook.url.rstrip("/") + CALLBACK_PATH + mint(claims, key=shop.settings.webhook.token_key)


def _facts(reply: Reply, sample: Sample, *, attempt_id: AttemptId, at: datetime) -> list[Fact]:
    def answered(outcome: AttemptOutcome, code: str | None = None, message: str | None = None) -> Answered:
        return Answered(
            at=at,
            recording_id=sample.recording_id,
            attempt_id=attempt_id,
            outcome=outcome,
            via=Via.RESPONSE,
            enrollment=reply.status.to_enrollment() if isinstance(reply, Applied) else None,
            code=code,
            message=message,
        )

    match reply:
        case Applied():
            return [answered(AttemptOutcome.APPLIED)]
        case Accepted(job_id):
            accepted = SubmissionAccepted(at=at, recording_id=sample.recording_id, attempt_id=attempt_id, job_id=job_id)
            return [accepted]
        case Refused(code, message):
            return [answered(AttemptOutcome.REFUSED, code, message)]
        case NotApplied(code, message):
            return [answered(AttemptOutcome.NOT_APPLIED, code, message)]
        case Doubtful():
            return []


async def _seen(shop: Workshop, speaker_id: SpeakerId, reply: Reply) -> list[Fact]:
    """After `exists`: how much the API has heard already, the yardstick for the next attempt."""
    if not isinstance(reply, NotApplied) or reply.code != "exists":
        return []
    try:
        status = await shop.api.enrollment(speaker_id)
    except RetryLaterError:
        return []
    return [EnrollmentSeen(at=shop.now(), enrollment=status.to_enrollment())] if status else []


def _lost(sample: Sample, *, at: datetime) -> SampleParked:
    message = "its clip is no longer in the object store; hand the recording in again"
    return SampleParked(at=at, recording_id=sample.recording_id, code="clip_lost", message=message)
