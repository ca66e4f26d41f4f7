"""Who speaks when: windows of 6 s, each compared with the voiceprints of the speakers asked about.

In go samples of audio and prints, out come utterances. A window without speech has no utterance; a voice that is none
of those asked about, or like two of them, is `UserNotIdentified`. Windows of one speaker that follow each other are one
utterance. The window length is that of the contract's published answers. Two voices are compared in the narrower band
of the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.voice.band import is_line, is_narrow, loud_spectrum
from engine.voice.evidence import chances
from engine.voice.recording import Recording, narrowed
from engine.voice.samples import RATE_HZ, floats
from engine.voice.speech import spoken, within
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint, centred, voiceprint

UNKNOWN = "UserNotIdentified"
WINDOW_S = 6.0
SURE = 0.75  # a window is a speaker's from this chance on; `make bench-voice` tells what that finds and lets through
_SPEECH_LEAST_S = 1.0  # under a second the network's vectors say more about the words than about the voice


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch in which one person speaks.

    Attributes:
        start_s: from the beginning of the recording.
        end_s: as above.
        speaker_id: `UserNotIdentified` for anybody else.
        confidence: 0 to 1, the chance that it is the speaker, or, of an unknown voice, that it is the likeliest one of
            those asked about. For several windows their mean.
    """

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
class Candidates:
    """The speakers asked about, their voiceprints in the band in which a recording is compared with each.

    Attributes:
        ids: theirs.
        prints: (speakers, dimension), of unit length.
        narrow_band: for each whether the narrow band is compared.
    """

    ids: tuple[str, ...]
    prints: NDArray[np.float32]
    narrow_band: NDArray[np.bool_]


def candidates(voice: Voice, known: Mapping[str, Sequence[SamplePrint]], *, narrow_band: bool) -> Candidates:
    """Make the voiceprints that recordings of a band are compared with; `known` has at least one."""
    prints, bands = [], []
    for samples in known.values():
        wide = [one for one in samples if not one.narrow_band]
        band = narrow_band or not wide
        prints.append(voiceprint(samples if band else wide, voice.centre(narrow_band=band), narrow_band=band))
        bands.append(band)
    return Candidates(tuple(known), np.stack(prints), np.array(bands))


def utterances(voice: Voice, recording: Recording, known: Mapping[str, Sequence[SamplePrint]]) -> list[Utterance]:
    """Tell who of the known speakers speaks when in a recording; `known` has at least one."""
    samples = floats(recording.samples)
    spans = voice.speech(samples)
    spectrum = loud_spectrum(spoken(samples, spans))
    narrow, line = is_narrow(spectrum), is_line(spectrum)
    asked = candidates(voice, known, narrow_band=narrow)
    found = []
    for start_s in np.arange(0.0, recording.duration_s, WINDOW_S).tolist():
        end_s = min(start_s + WINDOW_S, recording.duration_s)
        window = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        speech = spoken(window, within(spans, start_s, end_s))
        if len(speech) >= _SPEECH_LEAST_S * RATE_HZ:
            speaker_id, chance = heard(voice, speech, asked, band=(narrow, line))
            found.append(Utterance(start_s, end_s, speaker_id, chance))
    return turns(found)


def heard(
    voice: Voice, speech: NDArray[np.float32], asked: Candidates, *, band: tuple[bool, bool]
) -> tuple[str, float]:
    """Who says this, and with what chance it is who of them is likeliest.

    Args:
        voice: the models.
        speech: of one window, pauses cut out.
        asked: for this band.
        band: whether the speech is narrow-band, and whether a line took what is under 300 Hz too.
    """
    is_narrow_here, line = band
    scores = np.zeros(len(asked.ids), np.float32)
    for narrow in set(asked.narrow_band.tolist()):
        sound = narrowed(speech) if narrow and not is_narrow_here else speech
        raw = voice.embed_narrow(sound, line=line) if narrow else voice.embed(sound)
        vector = centred(raw, voice.centre(narrow_band=narrow))
        scores = np.where(asked.narrow_band == narrow, asked.prints @ vector, scores)
    return named(scores, asked, speech_s=len(speech) / RATE_HZ)


def named(scores: NDArray[np.float32], asked: Candidates, *, speech_s: float) -> tuple[str, float]:
    """The likeliest speaker by the scores, or nobody where that isn't sure, and the chance."""
    found = chances(scores, narrow_band=asked.narrow_band, speech_s=speech_s)
    best = int(found.argmax())
    return (asked.ids[best] if found[best] >= SURE else UNKNOWN), float(found[best])


def turns(windows: Sequence[Utterance]) -> list[Utterance]:
    """Join what one known speaker says without a break; unknown voices may be several people and stay apart."""
    joined: list[tuple[Utterance, int]] = []
    for one in windows:
        before, count = joined[-1] if joined else (None, 0)
        if before and one.speaker_id == before.speaker_id != UNKNOWN and one.start_s <= before.end_s:
            mean = (before.confidence * count + one.confidence) / (count + 1)
            joined[-1] = replace(before, end_s=one.end_s, confidence=mean), count + 1
        else:
            joined.append((one, 1))
    return [one for one, _ in joined]
