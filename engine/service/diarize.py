"""Who speaks when, as the contract tells it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.service.identify import Utterance
from engine.service.orders import Diarize
from engine.voice.recording import decode
from engine.voice.samples import floats
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint


def turns(
    voice: Voice,
    audio: Path,
    task: Diarize,  # noqa: ARG001  until voices are told apart
    known: Mapping[str, Sequence[SamplePrint]],  # noqa: ARG001
) -> list[Utterance]:
    """Stretches of speech, each of one speaker."""
    spans = voice.speech(floats(decode(audio, limit_s=7200.0).samples))
    return [Utterance(span.start_s, span.end_s, "0", 1.0) for span in spans]
