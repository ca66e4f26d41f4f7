"""Submit: hand the speaker's next sample in, one at a time per speaker.

Whether its voice and its audio let it go out is judged first; a sample that is held or declined costs no call.
Leave for the call is taken first: who may not call yet comes back when told to, and nothing was spent on it.
`SubmissionStarted` is committed before the call, so that a crash between call and answer leaves a trace that the sweep
follows up. The answer is a fact whatever it is. webhookUrl carries a token that names this one attempt.
"""

import uuid
from datetime import datetime, timedelta

from config.points import point
from worker.api.client import Submission
from worker.api.governor import Turn
from worker.api.replies import Accepted, Applied, Doubtful, NotApplied, Refused, Reply
from worker.clips import clip_of
from worker.contract.token import Claims, mint
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import (
    Answered,
    ConflictSuspected,
    EnrollmentSeen,
    Fact,
    SampleParked,
    SubmissionAccepted,
    SubmissionStarted,
)
from worker.enrollment.record import AttemptOutcome, Record, Sample, SpeakerId, Verb, Via
from worker.enrollment.renewal import attempt_named
from worker.enrollment.states import SampleState, is_urgent, sample_state
from worker.enrollment.steps import Submit, next_steps, next_verb
from worker.likeness import judge
from worker.store.status import Stored
from worker.workshop import Workshop

CALLBACK_PATH = "/v1/callbacks/"


async def submit(shop: Workshop, speaker_id: SpeakerId) -> str:
    """Hand in the next sample of a speaker, if there is one to hand in; returns the outcome in a word."""
    stored, sample = await _next(shop, speaker_id)
    if sample and next_verb(stored.record, sample) is Verb.PATCH and stored.record.enrollment is None:
        await _see_enrollment(shop, speaker_id)
        stored, sample = await _next(shop, speaker_id)
    if sample is None or sample.clip is None:
        return "no_news"
    stored, code = await _judged(shop, stored, sample)
    if code:
        return code
    leave = await shop.api.reserve(f"submit:{speaker_id}", turn=_turn(stored.record))
    clip = await clip_of(shop, sample.clip)
    if clip is None:
        await shop.tell(speaker_id, _lost(sample, at=shop.now()))
        return "clip_lost"
    started = _started(shop, stored.record, sample)
    before = await shop.store.apply_to(stored, started)
    if before is None:
        raise RetryLaterError("superseded", "the record changed meanwhile", after=timedelta())
    point("submit.started")
    await shop.batches.spent(stored.record)
    submission = Submission(
        speaker_id=speaker_id,
        clip=clip,
        create=started.verb is Verb.POST,
        language=sample.language,
        callback_url=_callback_url(shop, speaker_id, started),
        idempotency_key=attempt_named(f"{speaker_id}-{sample.recording_id}", stored.record.era),
    )
    reply = await shop.api.submit(submission, leave=leave)
    point("submit.called")
    await shop.tell(speaker_id, *_facts(reply, started, at=shop.now()), seen=before)
    point("submit.told")
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


async def _judged(shop: Workshop, stored: Stored, sample: Sample) -> tuple[Stored, str | None]:
    """Hold or decline the sample for its voice or its audio; the code if it is not to be handed in now."""
    facts = await judge(shop, stored.record, sample)
    judged = await shop.store.apply_to(stored, *facts)
    if judged is None:
        raise RetryLaterError("superseded", "the record changed meanwhile", after=timedelta())
    if sample_state(judged.record.sample(sample.recording_id)) is SampleState.READY:
        return judged, None
    await shop.go_on(judged.record)
    return judged, next((fact.code for fact in facts if not isinstance(fact, ConflictSuspected)), "no_news")


def _turn(record: Record) -> Turn:
    """Who has begun goes first: started speakers are finished before others are started; batches stand behind."""
    begun = record.enrollment is not None or any(sample.attempts for sample in record.samples)
    if is_urgent(record):
        return Turn.FINISH if begun else Turn.START
    return Turn.BATCH_FINISH if begun else Turn.BATCH_START


async def _see_enrollment(shop: Workshop, speaker_id: SpeakerId) -> None:
    """Look how much the API has heard of a speaker whom others enrolled: the yardstick for what is added."""
    era = (await shop.store.get(speaker_id)).record.era
    status = await shop.api.enrollment(speaker_id)
    if status:
        await shop.tell(speaker_id, EnrollmentSeen(at=shop.now(), enrollment=status.to_enrollment(), era=era))


def _started(shop: Workshop, record: Record, sample: Sample) -> SubmissionStarted:
    return SubmissionStarted(
        at=shop.now(),
        recording_id=sample.recording_id,
        attempt_id=attempt_named(uuid.uuid4().hex, record.era),
        verb=next_verb(record, sample),
        before_s=record.enrollment.audio_s if record.enrollment else 0.0,
    )


def _callback_url(shop: Workshop, speaker_id: SpeakerId, started: SubmissionStarted) -> str | None:
    if not shop.settings.api.callbacks:
        return None
    claims = Claims(
        account=shop.settings.account,
        speaker_id=speaker_id,
        recording_id=started.recording_id,
        attempt_id=started.attempt_id,
        expires_at=shop.now() + shop.settings.webhook.token_ttl,
    )
    return shop.settings.webhook.url.rstrip("/") + CALLBACK_PATH + mint(claims, key=shop.settings.webhook.token_key)


def _facts(reply: Reply, started: SubmissionStarted, *, at: datetime) -> list[Fact]:
    def answered(outcome: AttemptOutcome, code: str | None = None, message: str | None = None) -> Answered:
        return Answered(
            at=at,
            recording_id=started.recording_id,
            attempt_id=started.attempt_id,
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
            accepted = SubmissionAccepted(
                at=at, recording_id=started.recording_id, attempt_id=started.attempt_id, job_id=job_id
            )
            return [accepted]
        case Refused(code, message):
            return [answered(AttemptOutcome.REFUSED, code, message)]
        case NotApplied(code, message):
            return [answered(AttemptOutcome.NOT_APPLIED, code, message)]
        case Doubtful():
            return []


def _lost(sample: Sample, *, at: datetime) -> SampleParked:
    message = "its clip is no longer kept, and its recording is gone or changed; hand the recording in again"
    return SampleParked(at=at, recording_id=sample.recording_id, code="clip_lost", message=message)
