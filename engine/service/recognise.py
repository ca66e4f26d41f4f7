"""Enrolled voices told in recordings: identification (I0, I1) and diarization (D1), from request to response body."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.service.applying import comparable
from engine.service.ears import Ears
from engine.service.orders import Diarize, Identify
from engine.service.vault import Vault
from engine.voice.voiceprint import SamplePrint


class Recogniser:
    """Recognises voices.

    Args:
        vault: where enrollments are kept.
        ears: listens.
    """

    def __init__(self, vault: Vault, ears: Ears) -> None:
        self._vault = vault
        self._ears = ears

    async def known(self, speaker_ids: Sequence[str]) -> Mapping[str, Sequence[SamplePrint]]:
        """The prints of speakers that are named in a request.

        Raises:
            ApiError: 400 if one of them can't be told.
        """
        return comparable(await self._vault.many(speaker_ids), model=self._ears.model) if speaker_ids else {}

    async def identify(self, task: Identify, audio: Path, *, is_job: bool) -> dict[str, Any]:
        """SpeakerIdentificationObject of the contract.

        Raises:
            ApiError: a speaker can't be told (any more), or the audio will not do.
        """
        found = await self._ears.identify(audio, await self.known(task.speaker_ids), is_job=is_job)
        return {"utterances": [one.segment() for one in found]}

    async def diarize(self, task: Diarize, audio: Path) -> dict[str, Any]:
        """DiarizedObject of the contract.

        Raises:
            ApiError: a speaker can't be told (any more), or the audio will not do.
        """
        return await self._ears.diarize(audio, task, await self.known(task.speaker_ids))
