"""Who speaks when, as the contract tells it: DiarizedObject."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.service.identify import Utterance
from engine.service.orders import Diarize
from engine.voice.diarize import Read, diarize
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint


def diarized(voice: Voice, read: Read, task: Diarize, known: Mapping[str, Sequence[SamplePrint]]) -> dict[str, Any]:
    """Tell who speaks when in a recording.

    Raises:
        VoiceFailure: the recording can't be read, or is too long.
    """
    found = diarize(voice, read, speaker_count=task.speaker_count, known=known, by_channel=task.by_channel)
    utterances = [Utterance(turn.start_s, turn.end_s, turn.speaker, turn.confidence) for turn in found.turns]
    return {"speakerCount": found.speaker_count, "utterances": [one.segment() for one in utterances]}
