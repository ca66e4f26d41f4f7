"""Likeness: is a sample its speaker's, is it somebody else's, was it handed in before? Asked before each submission.

Out come facts: the sample is held for a person, declined, or goes on; nothing is merged or corrected by itself. The
samples of a speaker are submitted one by one, so each is compared with all that were applied before. Two new speakers
with one voice who are submitted in the same moment don't see each other.
"""

import asyncio

from engine.voice import likeness
from engine.voice.likeness import KnownVoice, Print, Shared
from worker.enrollment.errors import RejectError
from worker.enrollment.facts import ConflictSuspected, SampleDeclined, SampleHeld
from worker.enrollment.record import Record, RecordingId, Sample, Stretch
from worker.enrollment.renewal import beside, was_applied
from worker.enrollment.settle import NO_TRACE
from worker.enrollment.states import SampleState, sample_state
from worker.voices import applied
from worker.workshop import Workshop

Judgement = SampleDeclined | SampleHeld | ConflictSuspected

_USED_UP = frozenset(
    {SampleState.PARKED, SampleState.REFUSED, SampleState.WITHDRAWN}
)  # such a recording may be handed in again


async def known_voice(shop: Workshop, record: Record, sample: Sample) -> KnownVoice | None:
    """The voice of the applied samples that the sample joins, raw means; None if nothing is known of it."""
    return likeness.known(list((await shop.voices.prints_of(_heard_beside(record, sample))).values()))


def _heard_beside(record: Record, sample: Sample) -> list[Sample]:
    """The applied samples that the sample joins: none where it takes their place."""
    together = {one.recording_id for one in beside(record, sample)}
    return [one for one in applied(record) if one.recording_id in together]


def repeated_recording(record: Record, sample: Sample, source_sha256: str, channel: int | None) -> RejectError | None:
    """The refusal of a recording whose very bytes and channel another one of the speaker's has.

    Stretches that share nothing are recordings of their own: who names them has said so.
    """
    for other in beside(record, sample):
        recipe = other.clip.recipe if other.clip and other.recording_id != sample.recording_id else None
        same = recipe and (recipe.source_sha256, recipe.channel) == (source_sha256, channel)
        if same and other.stretch.shares(sample.stretch) and sample_state(other) not in _USED_UP:
            return RejectError("duplicate_recording", _shared(sample.stretch, other))
    return None


def _shared(stretch: Stretch, other: Sample) -> str:
    if stretch == other.stretch:
        return f"the same file as {other.name}; each recording gives one sample, hand in another conversation"
    end_s = f"{other.stretch.end_s:g} s" if other.stretch.end_s is not None else "its end"
    where = f"the part from {other.stretch.start_s:g} s to {end_s} of the same file gives {other.name} its sample"
    return f"{where}; name a stretch that shares nothing with it, or hand in another conversation"


async def judge(shop: Workshop, record: Record, sample: Sample) -> list[Judgement]:
    """What speaks against handing the sample in now; nothing if a person has accepted it, or the API applied it before.

    One that left no trace is not judged again either: it may be on its way, and must be repeated before others go. Nor
    is one that may not call yet, as long as it would be compared with the same samples; other speakers come meanwhile.
    """
    left_no_trace = any(attempt.answer and attempt.answer.code == NO_TRACE for attempt in sample.attempts)
    heard = _heard_beside(record, sample)
    compared = (record.speaker_id, sample.recording_id, *(one.recording_id for one in heard))
    if sample.is_released or was_applied(sample) or left_no_trace or shop.passed.known(compared):
        return []
    if not heard and shop.settings.worker.same_voice == "off":
        return []
    new = await shop.voices.print_of(sample)
    if new is None:
        return []
    if not heard:
        return await _same_voice(shop, record, sample, new=new)
    found = await _beside_others(shop, record, sample, new=new)
    if not found:
        shop.passed.keep(compared, value=True)
    return found


async def _beside_others(shop: Workshop, record: Record, sample: Sample, *, new: Print) -> list[Judgement]:
    """What speaks against the sample beside those that were applied before."""
    prints = await shop.voices.prints_of(_heard_beside(record, sample))
    if copied := await asyncio.to_thread(_copied, new, prints):
        return [_duplicate(shop, sample, other=record.sample(copied[0]), shared=copied[1])]
    known = likeness.known(list(prints.values()))
    held = await _different_voice(shop, sample, new=new, known=known) if known else None
    return [held] if held else []


def _copied(new: Print, prints: dict[RecordingId, Print]) -> tuple[RecordingId, Shared] | None:
    """The first sample out of whose recording the new one is too, and how much of it."""
    found = ((name, likeness.shared(new.audio, other.recording)) for name, other in prints.items())
    return next(((name, shared) for name, shared in found if shared.is_too_much), None)


def _duplicate(shop: Workshop, sample: Sample, *, other: Sample, shared: Shared) -> SampleDeclined:
    return SampleDeclined(
        at=shop.now(),
        recording_id=sample.recording_id,
        code="duplicate_sample",
        message=f"{shared.seconds:.1f} s of its audio are in {other.name} too, {shared.limit_s:.1f} s allowed; "
        "hand in another conversation",
        value=round(shared.seconds, 1),
        limit=round(shared.limit_s, 1),
    )


async def _different_voice(shop: Workshop, sample: Sample, *, new: Print, known: KnownVoice) -> SampleHeld | None:
    found = likeness.compare(shop.voice, new, known)
    limit = await shop.voices.gallery.speaker_threshold(narrow_band=found.narrow_band)
    if found.score >= limit:
        return None
    return SampleHeld(
        at=shop.now(),
        recording_id=sample.recording_id,
        code="different_voice",
        message=f"likeness {found.score:.2f} to the {known.samples} applied so far, {limit:.2f} needed; "
        "listen, then accept or reject it",
        value=round(found.score, 3),
        limit=round(limit, 3),
    )


async def _same_voice(shop: Workshop, record: Record, sample: Sample, *, new: Print) -> list[Judgement]:
    match = await shop.voices.gallery.match(new, but=record.speaker_id)
    if match is None:
        return []
    score, threshold = round(match.score, 3), round(match.threshold, 3)
    conflict = ConflictSuspected(
        at=shop.now(),
        recording_id=sample.recording_id,
        other=match.speaker_id,
        score=score,
        threshold=threshold,
    )
    held = SampleHeld(
        at=shop.now(),
        recording_id=sample.recording_id,
        code="same_voice_other_id",
        message=f"likeness {score:.2f} to speaker {match.speaker_id}, less than {threshold:.2f} needed; "
        "accept it if they are two people, else reject it and use that id",
        value=score,
        limit=threshold,
    )
    return [conflict, held] if shop.settings.worker.same_voice == "hold" else [conflict]
