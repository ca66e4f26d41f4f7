"""Whole recordings for those who tell voices in them: longer ones are refused, not cut off in silence."""

from pathlib import Path

from engine.voice.apart import Decoders
from engine.voice.failure import VoiceFailure
from engine.voice.recording import Recording

NOW_S = 1800.0  # while a client waits for the answer
RECORDING_S = 7200.0  # by a job: 230 MB of samples
_DECODED_IN = 1 / 15  # of its length, ten seconds more: Opus takes a 250th of it, and the machine may be busy


def whole(decoders: Decoders, audio: Path, *, limit_s: float, channel: int | None = None) -> Recording:
    """Decode all of a recording.

    Raises:
        VoiceFailure, DecoderError: as `Decoders.decode`; `too_long`.
    """
    recording = decoders.decode(audio, channel=channel, limit_s=limit_s, longest_s=10 + _DECODED_IN * limit_s)
    if recording.truncated:
        raise VoiceFailure(
            "too_long", f"longer than {limit_s / 60:.3g} min; split the recording", value=limit_s, limit=limit_s
        )
    return recording
