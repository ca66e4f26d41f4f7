"""What is measured of a sample: how long, how clean, how wide a band, and whether one person speaks.

In: 16 kHz samples and the probability of speech per 32 ms. Out: plain numbers. No rule is applied here. The formulas
are the ones that the quality grades were fitted on (see `voiceprint.predicted_score`); change both or none.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.voice import speech
from engine.voice.band import bandwidth_hz, is_line, is_narrow, loud_spectrum
from engine.voice.samples import RATE_HZ
from engine.voice.scan import Scan
from engine.voice.speech import CHUNK, Span
from engine.voice.voice import Voice
from engine.voice.voiceprint import unit

_SILENCE = 1e-10  # power of -100 dBFS, under any converter's noise
_SPEECH_P, _QUIET_P = 0.7, 0.2  # chunks over the one surely are speech, under the other surely are not
_QUIET_CHUNKS = 10  # so many (0.32 s) make a noise estimate
_CLIP_SHARE, _CLIP_PEAK = 0.985, 0.3
_RUMBLE_LINES = 4  # of 31.25 Hz: what is below 125 Hz is hum and rumble, which a reader's microphone may have plenty of
_HANN_POWER = 0.375 * CHUNK * CHUNK / 2  # of a square wave's lines under a Hann window
_SNR_MAX_DB = 60.0  # digital silence between words would give any number
_CONSISTENCY_S, _CONSISTENCY_HOP_S = 3.0, 1.5
_PIECE = 1 << 20
_DIGITS = {
    "duration_s": 3,
    "speech_s": 3,
    "longest_pause_s": 3,
    "snr_db": 1,
    "clip_ratio": 5,
    "level_dbfs": 1,
    "bandwidth_hz": 0,
    "music_s": 1,
    "tone_s": 1,
    "consistency": 3,
    "voices_p10": 3,
    "voices_parted": 3,
    "overlap": 3,
}
_PARTED_LEAST = 4
_MOST_WINDOWS = 24  # as the grades were fitted


@dataclass(frozen=True, slots=True)
class Sound:
    """What was measured of one stretch of sound, whoever speaks in it.

    Attributes:
        duration_s: seconds of audio.
        speech_s: seconds of speech in it.
        longest_pause_s: longest stretch without speech between two with it.
        snr_db: speech to noise, at most 60.
        clip_ratio: share of samples at the ceiling.
        level_dbfs: level of the speech; a full-scale square wave is 0.
        bandwidth_hz: up to where there is speech, in steps of 250 Hz, at most 8,000.
        narrow_band: nothing above the telephone's band.
        line: a telephone line took what is under 300 Hz too.
        music_s: seconds of music outside of speech.
        tone_s: seconds of tones outside of speech.
    """

    duration_s: float
    speech_s: float
    longest_pause_s: float
    snr_db: float
    clip_ratio: float
    level_dbfs: float
    bandwidth_hz: int
    narrow_band: bool
    line: bool
    music_s: float
    tone_s: float


@dataclass(frozen=True, slots=True)
class Measures(Sound):
    """What was measured of one stretch, with the voices in it.

    Attributes:
        consistency: mean raw cosine of 3 s windows; NaN under two windows.
        voices_p10: 10th percentile of the centred cosines of 1.5 s windows, low where voices change; NaN under two
            windows.
        voices_parted: centred cosine of the two parts that these windows fall into; NaN under four.
        overlap: share of the speech in which two speak at once.
    """

    consistency: float
    voices_p10: float
    voices_parted: float
    overlap: float

    def told(self) -> dict[str, Any]:
        """As people and programs are told them: rounded, None for NaN."""
        found = {name: getattr(self, name) for name in _DIGITS}
        rounded = {name: round(value, _DIGITS[name]) for name, value in found.items() if not math.isnan(value)}
        return {"narrow_band": self.narrow_band, **dict.fromkeys(_DIGITS), **rounded}


def sound(seen: Scan, samples: NDArray[np.float32]) -> tuple[Sound, NDArray[np.float32]]:
    """Measure a stretch of which this scan was made; also returns its speech alone, pauses cut out."""
    found = seen.spans()
    spoken = speech.spoken(samples, found)
    spectrum = loud_spectrum(samples)
    measured = Sound(
        duration_s=len(samples) / RATE_HZ,
        speech_s=speech.speech_s(found),
        longest_pause_s=longest_pause_s(found),
        snr_db=snr_db(samples, seen.chance),
        clip_ratio=clip_ratio(samples),
        level_dbfs=level_dbfs(spoken if len(spoken) else samples),
        bandwidth_hz=bandwidth_hz(spectrum),
        narrow_band=is_narrow(spectrum),
        line=is_line(spectrum),
        music_s=speech.speech_s(seen.music_spans()),
        tone_s=speech.speech_s(seen.tone_spans()),
    )
    return measured, spoken


def with_voices(measured: Sound, *, vectors: NDArray[np.float32], overlap: float, consistency: float) -> Measures:
    """Add what the voices in a stretch are like; `vectors` of its windows of 1.5 s, centred."""
    fields = {name: getattr(measured, name) for name in Sound.__dataclass_fields__}
    p10, parted = likenesses(vectors)
    return Measures(**fields, consistency=consistency, voices_p10=p10, voices_parted=parted, overlap=overlap)


def longest_pause_s(found: tuple[Span, ...]) -> float:
    """Longest pause between spans."""
    return max((after.start_s - before.end_s for before, after in pairwise(found)), default=0.0)


def level_dbfs(samples: NDArray[np.float32]) -> float:
    """Root mean square level."""
    return 10 * math.log10(max(_power(samples), _SILENCE))


def snr_db(samples: NDArray[np.float32], probabilities: NDArray[np.float32]) -> float:
    """Speech to noise: 10 log10((Ps - Pn) / Pn), 0 without speech.

    Ps is the mean power of chunks that surely are speech. Pn is the lesser of two: the mean power of chunks that surely
    are not, with such neighbours, which keeps the tails of words out, if there are ten of them; and 1.5 times the 5th
    percentile of all chunks, which breaths and coughs don't raise. All of what is above 125 Hz: pink noise at 15, 10, 5
    and 0 dB in full band, under 70 readers, read 19.0, 14.1, 9.2 and 4.5 in the median.
    """
    whole = samples[: len(samples) // CHUNK * CHUNK].reshape(-1, CHUNK)
    if not len(whole):
        return 0.0
    power = _voice_power(whole)
    chance = probabilities[: len(whole)]
    quiet = np.pad(chance < _QUIET_P, 1, constant_values=True)
    noise = power[quiet[:-2] & quiet[1:-1] & quiet[2:]]
    loud = power[chance > _SPEECH_P]
    if not len(loud):
        return 0.0
    floor = 1.5 * float(np.percentile(power, 5))
    if len(noise) >= _QUIET_CHUNKS:
        floor = min(floor, float(noise.mean()))
    floor = max(floor, _SILENCE)
    above = max(float(loud.mean()) - floor, _SILENCE)
    return min(_SNR_MAX_DB, 10 * math.log10(above / floor))


def _voice_power(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean square of each row of 512 samples, of what is above 125 Hz."""
    spectrum = np.fft.rfft(rows * np.hanning(CHUNK).astype(np.float32), axis=1)[:, _RUMBLE_LINES:]
    return np.asarray((spectrum.real**2 + spectrum.imag**2).sum(axis=1, dtype=np.float64) / _HANN_POWER)


def clip_ratio(samples: NDArray[np.float32]) -> float:
    """Share of samples within 1.5 % of the peak, where the peak is over 0.3 of full scale; 0 for clean speech."""
    if not len(samples):
        return 0.0
    size = np.abs(samples)
    peak = float(size.max())
    return float((size >= _CLIP_SHARE * peak).mean()) if peak > _CLIP_PEAK else 0.0


def consistency(voice: Voice, spoken: NDArray[np.float32]) -> float:
    """Mean raw cosine of all pairs of 3 s windows of the speech; how alike the voice stays to itself."""
    found = voice.windows(spoken, length_s=_CONSISTENCY_S, hop_s=_CONSISTENCY_HOP_S, most=_MOST_WINDOWS)
    pairs = _cosines(np.array([unit(vector) for vector in found]))
    return float(pairs.mean()) if len(pairs) else math.nan


def likenesses(vectors: NDArray[np.float32]) -> tuple[float, float]:
    """Two likenesses of centred windows of 1.5 s, (windows, 192), both low where voices change; NaN under two and four.

    The first is the 10th percentile of the cosines of all pairs. The second parts the windows in two by the sign of
    their first principal axis, and is the cosine of the means of the two parts: somebody who speaks for less than a
    tenth moves the first little, and whoever speaks is most like the others in the second. On read speech, clean and
    through 16 kbit/s telephone MP3, the second was 0.73 and more for one person and 0.70 and less for two who took
    turns every 1.5 to 3.5 s.
    """
    pairs = _cosines(vectors)
    return float(np.percentile(pairs, 10)) if len(pairs) else math.nan, _parted(vectors)


def _parted(vectors: NDArray[np.float32]) -> float:
    if len(vectors) < _PARTED_LEAST:
        return math.nan
    along = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)[0][:, 0] > 0
    if min(along.sum(), (~along).sum()) < 2:
        return 1.0  # one window differs: a cough, a name that was called
    return float(unit(vectors[along].mean(axis=0)) @ unit(vectors[~along].mean(axis=0)))


def _cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(vectors) < 2:
        return np.zeros(0, np.float32)
    pairs: NDArray[np.float32] = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return pairs


def _power(samples: NDArray[np.float32]) -> float:
    pieces = (samples[at : at + _PIECE] for at in range(0, len(samples), _PIECE))  # half an hour squared is 230 MB
    return sum(float(np.square(piece, dtype=np.float64).sum()) for piece in pieces) / max(1, len(samples))
