"""What is known of voices: the print of each sample beside its clip, and the gallery of all speakers.

Prints lie in the clips' folder, so that erasing a speaker takes them along; the gallery's entry is taken out by name.
Both are sealed. Nothing of either goes into records, events, logs or errors.
"""

import asyncio
from collections.abc import Collection, Iterable

import structlog

from engine.voice import likeness
from engine.voice.likeness import Print
from engine.voice.voice import Voice
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.record import Record, RecordingId, Sample, SpeakerId
from worker.enrollment.states import SampleState, sample_state
from worker.gallery import Entry, Gallery
from worker.seal import DamagedVoiceError, VoiceSeal
from worker.store.objects import ObjectStore

PRINT = ".print"  # how the names of prints end

_log = structlog.get_logger()


class Voices:
    """The voices of one account.

    Args:
        objects: where clips and prints lie.
        gallery: the speakers' voices.
        seal: what prints are sealed with.
        voice: the models.
    """

    def __init__(self, objects: ObjectStore, gallery: Gallery, *, seal: VoiceSeal, voice: Voice) -> None:
        self._objects = objects
        self._seal = seal
        self.gallery = gallery
        self.models = voice

    async def keep(self, object_key: str, print_: bytes) -> None:
        """Lay the print of a clip beside it."""
        key = _beside(object_key)
        await self._objects.put(key, self._seal.seal(print_, place=self._seal.of_object(key)))

    async def bring(self, object_key: str, to: str, *, seal: VoiceSeal) -> None:
        """Lay the print of another account's clip, if there is one, beside one of this account's.

        Raises:
            RetryLaterError: the object store is away, or the key it is sealed under is missing.
        """
        key = _beside(object_key)
        blob = await self._objects.get(key)
        if blob is None:
            return
        try:
            await self.keep(to, seal.open(blob, place=seal.of_object(key)))
        except DamagedVoiceError:
            _log.warning("voice.damaged", object_key=key)

    async def print_of(self, sample: Sample) -> Print | None:
        """The print of a sample; None if there is none, or one that this model did not make.

        Raises:
            RetryLaterError: the object store is away, or the key it is sealed under is missing.
        """
        key = _beside(sample.clip.object_key) if sample.clip else ""
        blob = await self._objects.get(key) if key else None
        found = self._opened(key, blob) if blob else None
        return found if found and found.model in self.models.manifest.ids else None

    def _opened(self, key: str, blob: bytes) -> Print | None:
        try:
            return likeness.from_bytes(self._seal.open(blob, place=self._seal.of_object(key)))
        except DamagedVoiceError:
            _log.warning("voice.damaged", object_key=key)
            return None

    async def prints_of(self, samples: Iterable[Sample]) -> dict[RecordingId, Print]:
        """The prints of some samples; those without one are left out."""
        wanted = list(samples)
        found = await asyncio.gather(*map(self.print_of, wanted))
        return {sample.recording_id: one for sample, one in zip(wanted, found, strict=True) if one}

    async def learn(self, record: Record, recording_ids: Collection[RecordingId]) -> None:
        """Put the speaker's voice into the gallery: that of the applied samples and of these, which are about to be.

        An object store that fails is no reason to hold the record up: the speaker's next sample mends it.
        """
        heard = applied(record)
        if record.erased_at or {sample.recording_id for sample in heard}.issuperset(recording_ids):
            return
        try:
            prints = await self.prints_of([*heard, *map(record.sample, recording_ids)])
        except RetryLaterError as error:
            _log.warning("voice.not_learnt", speaker_id=record.speaker_id, code=error.code)
            return
        if known := likeness.known(list(prints.values())):
            before = likeness.known([one for name, one in prints.items() if name not in recording_ids])
            newest = next((one for name, one in prints.items() if name in recording_ids), None)
            score = likeness.compare(self.models, newest, before) if newest and before else None
            await self.gallery.put(record.speaker_id, Entry.of(self.models, known, score))

    async def forget(self, speaker_id: SpeakerId) -> None:
        """Take the speaker out of the gallery; the prints go with the clips."""
        await self.gallery.forget(speaker_id)


def applied(record: Record) -> list[Sample]:
    """The samples that the API has applied."""
    return [sample for sample in record.samples if sample_state(sample) is SampleState.APPLIED]


def _beside(object_key: str) -> str:
    return object_key.removesuffix(".wav") + PRINT
