"""Who speaks when: windows of 6 s, each compared with the voiceprints of the speakers asked about.

In go samples of audio and prints, out come utterances. A window without speech has no utterance; a voice that is none
of those asked about is `UserNotIdentified`. The window length is that of the contract's published answers. Two voices
are compared in the narrower band of the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.voice.measures import is_narrow_band
from engine.voice.recording import Recording, narrowed
from engine.voice.samples import RATE_HZ, floats
from engine.voice.speech import spoken, within
from engine.voice.voice import Voice
from engine.voice.voiceprint import (
    SAME_SPEAKER_NARROW,
    SAME_SPEAKER_WIDE,
    SamplePrint,
    centred,
    score,
    voiceprint,
)

UNKNOWN = "UserNotIdentified"
WINDOW_S = 6.0
_SPEECH_LEAST_S = 1.0  # under a second the network's vectors say more about the words than about the voice


@dataclass(frozen=True, slots=True)
class Utterance:
    """One window in which somebody speaks; confidence is the best cosine, at least 0."""

    start_s: float
    end_s: float
    speaker_id: str
    confidence: float

    def segment(self) -> dict[str, Any]:
        """DiarizeSegment of the contract."""
        return {
            "start": round(self.start_s, 3),
            "end": round(self.end_s, 3),
            "speakerId": self.speaker_id,
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True, slots=True)
class _Known:
    speaker_id: str
    narrow_band: bool
    print: NDArray[np.float32]

    @property
    def threshold(self) -> float:
        return SAME_SPEAKER_NARROW if self.narrow_band else SAME_SPEAKER_WIDE


def utterances(voice: Voice, recording: Recording, known: Mapping[str, Sequence[SamplePrint]]) -> list[Utterance]:
    """Tell who of the known speakers speaks in each window of a recording; `known` has at least one."""
    samples = floats(recording.samples)
    spans = voice.speech(samples)
    narrow = is_narrow_band(spoken(samples, spans))
    speakers = [_known(voice, speaker_id, prints, narrow_band=narrow) for speaker_id, prints in known.items()]
    found = []
    for start_s in np.arange(0.0, recording.duration_s, WINDOW_S).tolist():
        end_s = min(start_s + WINDOW_S, recording.duration_s)
        window = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        speech = spoken(window, within(spans, start_s, end_s))
        if len(speech) >= _SPEECH_LEAST_S * RATE_HZ:
            found.append(_utterance(start_s, end_s, _scores(voice, speech, speakers, narrow_band=narrow)))
    return found


def _known(voice: Voice, speaker_id: str, prints: Sequence[SamplePrint], *, narrow_band: bool) -> _Known:
    band = narrow_band or any(one.narrow_band for one in prints)
    return _Known(speaker_id, band, voiceprint(prints, voice.centre(narrow_band=band), narrow_band=band))


def _scores(
    voice: Voice, speech: NDArray[np.float32], speakers: Sequence[_Known], *, narrow_band: bool
) -> list[tuple[float, _Known]]:
    vectors: dict[bool, NDArray[np.float32]] = {}
    for band in {one.narrow_band for one in speakers}:
        heard = narrowed(speech) if band and not narrow_band else speech
        vectors[band] = centred(voice.embed(heard), voice.centre(narrow_band=band))
    return [(score(one.print, vectors[one.narrow_band]), one) for one in speakers]


def _utterance(start_s: float, end_s: float, scores: Sequence[tuple[float, _Known]]) -> Utterance:
    """The speaker who clears the own band's threshold by most, or nobody."""
    best, nearest = max(scores, key=lambda one: one[0] - one[1].threshold)
    speaker_id = nearest.speaker_id if best >= nearest.threshold else UNKNOWN
    return Utterance(start_s, end_s, speaker_id, max(0.0, best))
