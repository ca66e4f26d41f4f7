"""A change of the workshop's voice key: look at start whether ours is right, and seal all voices anew on demand.

Where a voice is sealed already only its data key is sealed anew; one that lies open is sealed. The walk may be cut
short and begun again at any time, beside workers that have the new key. A print that was written back while its speaker
was erased is taken out again: who is erased is marked as such first.
"""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace

import structlog

from config.settings import SettingsError
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.record import SpeakerId
from worker.seal import DamagedVoiceError, VoiceSeal
from worker.store.objects import CLIPS, ObjectStore
from worker.store.status import StatusStore
from worker.store.voices import VoiceStore
from worker.voices import PRINT

_TOLD_EVERY = 1000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the walk is, in voices of the gallery and prints: sealed anew, current already, not to be opened."""

    resealed: int = 0
    current: int = 0
    failed: int = 0


async def refuse_wrong_key(store: VoiceStore, seal: VoiceSeal) -> None:
    """Return if the first and the last voice of the gallery can be opened: a wrong key would seal new ones by itself.

    Raises:
        SettingsError: they can't.
    """
    for speaker_id, blob in (await store.ends()).items():
        try:
            seal.renewed(blob, place=seal.of_speaker(speaker_id))
        except (RetryLaterError, DamagedVoiceError) as error:
            reason = error.message if isinstance(error, RetryLaterError) else "it opens none of the voices"
            message = f"VOXROLL_WORKER_VOICE_KEY: this key ({seal.name}) can't be the right one: {reason}"
            raise SettingsError(message) from error


@dataclass(frozen=True, slots=True)
class Resealer:
    """Walks through the voices of one account."""

    voices: VoiceStore
    objects: ObjectStore
    records: StatusStore
    seal: VoiceSeal
    account: str

    async def run(self) -> Progress:
        """Seal every voice under the current key, first those of the gallery."""
        done = Progress()
        async for outcome in self._outcomes():
            done = replace(done, **{outcome: getattr(done, outcome) + 1})
            if sum(asdict(done).values()) % _TOLD_EVERY == 0:
                _log.info("reseal.progressed", **asdict(done))
        return done

    async def _outcomes(self) -> AsyncIterator[str]:
        async for speaker_id, blob in self.voices.all():
            place = self.seal.of_speaker(speaker_id)
            renewed, outcome = self._renewed(blob, place, speaker_id=speaker_id)
            if renewed is not None:
                await self.voices.replace(speaker_id, blob, renewed)  # else it was written anew, under the current key
            yield outcome
        folder = f"{CLIPS}/{self.account}"
        async for key in self.objects.walk(folder):
            if key.endswith(PRINT):
                yield await self._print(key, SpeakerId(key.removeprefix(f"{folder}/").partition("/")[0]))

    async def _print(self, key: str, speaker_id: SpeakerId) -> str:
        blob = await self.objects.get(key)
        if blob is None:
            return "current"
        renewed, outcome = self._renewed(blob, self.seal.of_object(key), speaker_id=speaker_id)
        if renewed is not None:
            await self.objects.put(key, renewed)
            if (await self.records.get(speaker_id)).record.erased_at:
                await self.objects.delete(key)
        return outcome

    def _renewed(self, blob: bytes, place: str, *, speaker_id: SpeakerId) -> tuple[bytes | None, str]:
        try:
            renewed = self.seal.renewed(blob, place=place)
        except (RetryLaterError, DamagedVoiceError) as error:
            _log.error("reseal.failed", speaker_id=speaker_id, error=str(error) or "not what was sealed there")
            return None, "failed"
        return renewed, "current" if renewed is None else "resealed"
