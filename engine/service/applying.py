"""The rules for applying a sample to an enrollment, and for what is left after a deletion. Pure: no I/O, no clock.

In goes what is held and what is asked, out comes what will be held, or an `ApiError`. The promise kept here: a key
never applies a sample twice, and a request that was made before a deletion doesn't bring the voice back.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engine.service.enrollment import Ask, Enrollment, Held, Model, Sample, Verb
from engine.service.failure import ApiError
from engine.voice.voiceprint import COMPLETE_FROM_S, SamplePrint, quality

MOST_SAMPLES = 100  # at two vectors of 768 bytes each, one hash stays under 200 kB; quality stops rising far below
_SPENT_KEPT = 1024  # keys that a tombstone remembers: far more than anybody still repeats


def already_applied(held: Held, ask: Ask, *, model: Model) -> Enrollment | None:
    """The enrollment, if this very request was applied before; None if its sample may be applied.

    Raises:
        ApiError: the sample can't be applied: 400, 404, 409 or 410.
    """
    known, alive = held.enrollment, held.alive
    if alive is not None and any(sample.key == ask.key for sample in alive.samples):
        return alive
    if known is not None and (ask.key in known.spent or ask.asked_ms < known.deleted_ms):
        raise ApiError(
            410,
            "enrollment_deleted",
            "this request was made before the enrollment, or its sample, was deleted; to enroll the speaker again, "
            "send a new request with a new Idempotency-Key",
            parameter=ask.parameter,
        )
    if ask.verb is Verb.ADD:
        if alive is None:
            raise not_enrolled(ask.speaker_id, ask.parameter)
        _refuse_sample(alive, ask, model=model)
    elif alive is not None:
        raise ApiError(
            409,
            "enrollment_exists",
            f"{ask.speaker_id} is enrolled already; add a sample with PATCH",
            parameter=ask.parameter,
        )
    return None


def _refuse_sample(there: Enrollment, ask: Ask, *, model: Model) -> None:
    if any(sample.sha256 == ask.sha256 for sample in there.samples):
        raise ApiError(
            400,
            "duplicate_sample",
            f"exactly this audio was applied before (SHA-256 {ask.sha256[:12]}...); send another recording",
            parameter="content",
        )
    if len(there.samples) >= MOST_SAMPLES:
        raise ApiError(
            400,
            "too_many_samples",
            f"{len(there.samples)} samples are held, {MOST_SAMPLES} at most; delete the enrollment and begin anew",
            parameter="content",
        )
    if not model.made(there):
        raise ApiError(
            400,
            "other_model",
            f"enrolled with the model {there.made_with}, the engine runs {model}; delete the enrollment and begin anew",
            parameter=ask.parameter,
        )


def with_sample(held: Held, ask: Ask, found: SamplePrint, *, model: Model, now_ms: int) -> Held:
    """What will be held once the sample is applied; the version stays the one read."""
    before = held.alive or Enrollment(
        speaker_id=ask.speaker_id,
        model=model.name,
        created_ms=now_ms,
        deleted_ms=held.enrollment.deleted_ms if held.enrollment else 0,
        spent=held.enrollment.spent if held.enrollment else (),
    )
    sample = Sample(
        key=ask.key,
        sha256=ask.sha256,
        at_ms=now_ms,
        speech_s=float(found.speech_s),
        audio_s=float(found.audio_s),
        snr_db=float(found.snr_db),
        clip_ratio=float(found.clip_ratio),
        consistency=float(found.consistency),
        narrow_band=bool(found.narrow_band),
        line=bool(found.line),
    )
    samples = (*before.samples, sample)
    grown = replace(before, samples=samples, model_id=before.model_id or next(iter(model.ids), ""))
    rated = replace(grown, quality=quality((*held.prints(), found), complete=grown.is_complete))
    return Held(rated, held.version, (held.vectors if held.alive else b"") + _row(found))


def _row(found: SamplePrint) -> bytes:
    narrow_vector = np.zeros_like(found.vector) if found.narrow_vector is None else found.narrow_vector
    return np.stack([found.vector, narrow_vector]).astype(np.float32).tobytes()


def tombstone(there: Enrollment, *, version: int, now_ms: int) -> Held:
    """What is held after a deletion: no voice, no durations, only when and the keys that must not come back."""
    spent = spent_with(there, *there.samples)
    return Held(replace(there, samples=(), quality="Poor", is_deleted=True, deleted_ms=now_ms, spent=spent), version)


def spent_with(there: Enrollment, *gone: Sample) -> tuple[str, ...]:
    """The keys that must not come back once these samples are gone."""
    return (*there.spent, *(sample.key for sample in gone))[-_SPENT_KEPT:]


def comparable(held: Mapping[str, Held], *, model: Model) -> dict[str, tuple[SamplePrint, ...]]:
    """The prints of speakers that audio is to be compared with.

    Raises:
        ApiError: 400 if one of them isn't enrolled, isn't complete, or was enrolled with another model.
    """
    for speaker_id, one in held.items():
        if one.alive is None:
            reason = f"not_enrolled: {speaker_id} is not enrolled"
        elif not one.alive.is_complete:
            reason = f"not_complete: {speaker_id} has {one.alive.speech_s} s of speech, {COMPLETE_FROM_S} s needed"
        elif not model.made(one.alive):
            reason = f"other_model: {speaker_id} is enrolled with {one.alive.made_with}, the engine runs {model}"
        else:
            continue
        code, _, message = reason.partition(": ")
        raise ApiError(400, code, f"{message}; enroll first, or leave the id out", parameter="speakerIds")
    return {speaker_id: one.prints() for speaker_id, one in held.items()}


def not_enrolled(speaker_id: str, parameter: str) -> ApiError:
    """404 for an enrollment that isn't there."""
    return ApiError(404, "not_enrolled", f"{speaker_id} is not enrolled; enroll with POST", parameter=parameter)
