"""A workshop for tests that measure no recording: everything real but the voice, which is not loaded."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import cast

from config.settings import Settings
from engine.voice.apart import Decoders
from engine.voice.voice import Voice
from tests.support.lives import MEASURES, recipe
from worker.enrollment.facts import RecordingPlanned, SampleReady
from worker.enrollment.record import Record, RecordingId, SpeakerId
from worker.furnishing import connected, furnished
from worker.workshop import Workshop


@asynccontextmanager
async def workshop(settings: Settings) -> AsyncIterator[Workshop]:
    nobody = cast("Voice", None)
    async with connected(settings) as (redis, http):
        with Decoders() as decoders, ThreadPoolExecutor(1) as threads:
            yield furnished(settings, redis=redis, http=http, voice=nobody, threads=threads, decoders=decoders)


def content_of(speaker_id: str, recording_id: str) -> bytes:
    """What stands for the audio of a sample; no two are alike."""
    return f"{speaker_id}/{recording_id}".encode()


async def prepared(shop: Workshop, speaker_id: SpeakerId, recording_id: RecordingId) -> Record:
    """Prepare a recording as the step would, 15 s long."""
    key = f"clips/{speaker_id}-{recording_id}"
    await shop.objects.put(key, content_of(speaker_id, recording_id))
    planned = RecordingPlanned(at=shop.now(), recording_id=recording_id, source="https://example.org", name="a.wav")
    ready = SampleReady(at=shop.now(), recording_id=recording_id, recipe=recipe(), measures=MEASURES, object_key=key)
    return await shop.tell(speaker_id, planned, ready)
