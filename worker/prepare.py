"""Prepare: fetch one recording, find the stretch that makes a good sample, store its clip.

Ends in `SampleReady` with its recipe or in `SampleRejected` with code, value, limit and way out. No call to the API is
spent here. What computes runs in a thread, and what decodes in a process that may die of a recording.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from config.points import point
from engine.voice import likeness, preflight
from engine.voice.failure import VoiceFailure
from engine.voice.recording import Recording
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.enrollment.facts import Fact, SampleReady, SampleRejected
from worker.enrollment.record import Measures, Recipe, Record, RecordingId, Sample, SpeakerId, Stretch
from worker.enrollment.states import is_urgent
from worker.likeness import known_voice, repeated_recording
from worker.store.objects import CLIPS, folder_of
from worker.workshop import Workshop

_FETCH_TRIES = 5  # a source that could not be reached so often is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """The sample found in a recording."""

    window: preflight.Window
    print_: bytes
    clip: bytes
    source_sha256: str


async def prepare(shop: Workshop, speaker_id: SpeakerId, recording_id: RecordingId, *, job_try: int) -> str:
    """Prepare one recording of a speaker; returns the outcome in a word."""
    record = (await shop.store.get(speaker_id)).record
    sample = record.sample(recording_id)
    if sample.planned_at is None or sample.prepared or sample.parked:
        await shop.go_on(record)  # an earlier run may have ended between store and queue
        return "no_news"
    try:
        fact = await _fact(shop, record, sample)
    except RejectError as error:
        fact = SampleRejected(at=shop.now(), recording_id=recording_id, code=error.code, message=error.message)
    except RetryLaterError as error:
        if job_try < _FETCH_TRIES or not error.code.startswith("source_"):  # else it is our own store that fails
            raise
        message = f"{error.message}, {job_try} times; hand the recording in again when it can be reached"
        fact = SampleRejected(at=shop.now(), recording_id=recording_id, code="unreadable_source", message=message)
    told = await shop.tell(speaker_id, fact)
    if told.erased_at:  # meanwhile
        await shop.objects.forget(folder_of(CLIPS, shop.queue.account, speaker_id))
    point("prepare.told")
    return getattr(fact, "code", "ready")


async def _fact(shop: Workshop, record: Record, sample: Sample) -> Fact:
    speaker_id = record.speaker_id
    known = await known_voice(shop, record, sample)
    search = preflight.Search(channel=sample.channel, known=known)
    async with shop.fetcher.at_hand(sample.source) as path:
        try:
            found = await shop.measuring.run(_find, shop, path, search, sample.stretch, is_urgent=is_urgent(record))
        except VoiceFailure as failure:
            return SampleRejected(
                at=shop.now(),
                recording_id=sample.recording_id,
                code=failure.code,
                message=failure.message,
                value=failure.value,
                limit=failure.limit,
            )
    record = (await shop.store.get(speaker_id)).record  # another recording may have been prepared meanwhile
    if refusal := repeated_recording(record, sample, found.source_sha256, found.window.channel):
        raise refusal
    recipe = _recipe(shop, sample, found)
    object_key = f"{folder_of(CLIPS, shop.queue.account, speaker_id)}/{recipe.sample_sha256}.wav"
    await shop.objects.put(object_key, found.clip)
    await shop.voices.keep(object_key, found.print_)
    point("prepare.stored")
    return SampleReady(
        at=shop.now(),
        recording_id=sample.recording_id,
        recipe=recipe,
        measures=Measures(**found.window.measures.told(), score=round(found.window.score, 3)),
        object_key=object_key,
    )


def _searched(shop: Workshop, path: Path, search: preflight.Search, within: Stretch) -> tuple[preflight.Window, bytes]:
    """The best stretch, and its print, for which the sound is at hand."""

    def read(number: int | None) -> Recording:
        limit_s = shop.settings.intake.scan_limit.total_seconds()
        return shop.decoders.decode(path, channel=number, start_s=within.start_s, end_s=within.end_s, limit_s=limit_s)

    found = preflight.mine(shop.voice, read, shop.rules, search)
    if found.refusal:
        raise found.refusal
    best, began_s = found.windows[0], found.recording.start_s
    start_s, end_s = best.start_s - began_s, best.end_s - began_s
    print_ = likeness.cut_print(shop.voice, found.recording.samples, found.leg.spans(), start_s=start_s, end_s=end_s)
    return best, likeness.to_bytes(print_)


def _find(shop: Workshop, path: Path, search: preflight.Search, within: Stretch) -> _Cut:
    with path.open("rb") as file:
        source_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    known = search.known.narrow.tobytes() if search.known else b""
    key = (source_sha256, search.channel, within, hashlib.sha256(known).hexdigest())
    window, print_ = shop.windows.get(key, lambda: _searched(shop, path, search, within))
    clip = shop.decoders.cut(path, start_s=window.start_s, end_s=window.end_s, channel=window.channel)
    return _Cut(window=window, print_=print_, clip=clip, source_sha256=source_sha256)


def _recipe(shop: Workshop, sample: Sample, found: _Cut) -> Recipe:
    return Recipe(
        source=sample.source,
        channel=found.window.channel,
        start_s=found.window.start_s,
        end_s=found.window.end_s,
        source_sha256=found.source_sha256,
        sample_sha256=hashlib.sha256(found.clip).hexdigest(),
        policy=f"{shop.settings.profile}.2",
    )
