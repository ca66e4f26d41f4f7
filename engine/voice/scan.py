"""A whole channel of a recording in one look: what there is to know every 32 ms, without keeping its sound.

In: 16 kHz samples of any length. Out: arrays along the time, some 20 bytes per 32 ms, so three hours take 7 MB. What
the numbers mean for a sample is decided elsewhere (`preflight`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice import speech
from engine.voice.samples import RATE_HZ, Samples, floats
from engine.voice.speech import CHUNK, CHUNK_S, Span
from engine.voice.voice import Voice

_BLOCK = 2048  # chunks worked on at one time
_CLIP_LEVEL = 0.985
_LOUD = 1e-5  # power of -50 dBFS; what is softer is background, whatever it is made of
_SPEECH_P, _SURELY = 0.2, 0.7  # chunks under the one are not speech, over the other surely are
_UNDER = 10**-2.5  # of the speech's power: the hum of a reader's room lasts as music does, only softer

_WINDOW = 2 * CHUNK  # 64 ms: 16 Hz between two lines, so partials of music stand apart
_LOW, _HIGH = round(250 / 15.625), round(3600 / 15.625)  # lines of the band that every telephone passes
_SMOOTH = 15  # lines over which the spectrum is levelled: what stands out is a partial
_LATER = 6  # chunks (0.19 s) after which a note still sounds, and a syllable doesn't
_PEAKS = 8  # the strongest lines; two sines fill three each
_HELD = 31  # chunks (1 s) over which is decided
_MUSIC = 0.45  # mean likeness of spectra 0.19 s apart, from which sound is music
_TONE = 0.98  # of the power in the strongest lines, from which sound is a tone
_TONE_CHUNKS = 4  # 0.13 s of it


@dataclass(frozen=True, slots=True)
class Scan:
    """What was seen of a channel, (chunks,) each, one chunk 32 ms.

    Attributes:
        duration_s: seconds of it.
        chance: probability of speech.
        power: mean square, full scale 1.
        clipped: share of samples within 1.5 % of full scale.
        music: sound that isn't speech and whose partials last, as those of music do.
        tone: sound that isn't speech and consists of a few lines: dial, ringback, busy, DTMF, beeps, hum.
    """

    duration_s: float
    chance: NDArray[np.float32]
    power: NDArray[np.float32]
    clipped: NDArray[np.float32]
    music: NDArray[np.bool_]
    tone: NDArray[np.bool_]

    def spans(self) -> tuple[Span, ...]:
        """Where somebody speaks."""
        return speech.spans(self.chance, duration_s=self.duration_s)

    def music_spans(self) -> tuple[Span, ...]:
        """Where there is music, a second of it and more."""
        return spans_of(self.music, close_s=_HELD * CHUNK_S, least_s=1.0)

    def tone_spans(self) -> tuple[Span, ...]:
        """Where there are tones that are no part of music, from 0.25 s on; pauses of up to 0.6 s (busy) are closed."""
        music = self.music_spans()
        found = spans_of(self.tone, close_s=0.6, least_s=0.25)
        return tuple(tone for tone in found if not any(one.start_s - 1 <= tone.start_s < one.end_s for one in music))

    @property
    def level_db(self) -> float:
        """Root mean square level in dBFS of the whole."""
        mean = float(self.power.mean(dtype=np.float64)) if len(self.power) else 0.0
        return 10 * float(np.log10(max(mean, 1e-10)))


def scan(voice: Voice, samples: Samples) -> Scan:
    """Look through a channel once.

    Music is told from other sound by the cosine of two spectra 0.19 s apart, each the log power of 250 to 3600 Hz over
    its own mean of 15 lines (234 Hz): on five tracks of hold music its median was 0.57 to 0.72, on speech 0.36 to 0.38,
    on pink and white noise 0.39 to 0.40. A tone has 98 % of its power in eight lines, where music has 82 to 93 %.
    """
    chance = voice.probabilities(samples)
    count = len(chance)
    power, clipped = np.zeros(count, np.float32), np.zeros(count, np.float32)
    lasting, lines = np.full(count, np.nan, np.float32), np.zeros(count, np.float32)
    for at in range(0, count, _BLOCK):
        piece = samples[at * CHUNK : (at + _BLOCK) * CHUNK]
        whole = floats(piece)
        rows = np.pad(whole, (0, -len(whole) % CHUNK)).reshape(-1, CHUNK)
        here = slice(at, at + len(rows))
        power[here] = np.square(rows).mean(axis=1)
        clipped[here] = (np.abs(rows) >= _CLIP_LEVEL).mean(axis=1)
    sounding = (chance < _SPEECH_P) & (power > _least(power, chance))
    for at in range(0, count, _BLOCK):
        heard = np.flatnonzero(sounding[at : at + _BLOCK])
        if len(heard):
            piece = floats(samples[at * CHUNK : (at + _BLOCK + _LATER + 1) * CHUNK])
            lasting[at + heard], lines[at + heard] = _tonal(piece, heard)
    tone = _runs(sounding & (lines >= _TONE), at_least=_TONE_CHUNKS)
    music = sounding & ~tone & (_mean(lasting, sounding & ~tone & np.isfinite(lasting)) >= _MUSIC)
    return Scan(len(samples) / RATE_HZ, chance, power, clipped, music, tone)


def _least(power: NDArray[np.float32], chance: NDArray[np.float32]) -> float:
    """Power from which sound counts: -50 dBFS, and 25 dB under the speech where there is some."""
    spoken = power[chance > _SURELY]
    return max(_LOUD, float(spoken.mean(dtype=np.float64)) * _UNDER if len(spoken) else 0.0)


def spans_of(flags: NDArray[np.bool_], *, close_s: float, least_s: float) -> tuple[Span, ...]:
    """Flagged chunks as spans: gaps up to `close_s` closed, what is then shorter than `least_s` dropped."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    found: list[Span] = []
    for first, last in edges.reshape(-1, 2).tolist():
        start, end = first * CHUNK_S, last * CHUNK_S
        if found and start - found[-1].end_s <= close_s:
            found[-1] = Span(found[-1].start_s, end)
        else:
            found.append(Span(start, end))
    return tuple(span for span in found if span.duration_s >= least_s)


def _tonal(samples: NDArray[np.float32], here: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of these chunks: how alike their spectra are to those 0.19 s later, and the share of their strongest lines.

    A window reaches into the next chunk. Where there is none the share is 0, where no later one is likeness is NaN.
    """
    lasting, lines = np.full(len(here), np.nan, np.float32), np.zeros(len(here), np.float32)
    if len(samples) < _WINDOW:
        return lasting, lines
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::CHUNK]
    is_whole, has_later = here < len(frames), here + _LATER < len(frames)
    rows = np.union1d(here[is_whole], here[has_later] + _LATER)
    power = _power(frames[rows])
    own, before = np.searchsorted(rows, here[is_whole]), np.searchsorted(rows, here[has_later])
    strongest = np.partition(power[own], -_PEAKS, axis=1)[:, -_PEAKS:].sum(axis=1)
    lines[is_whole] = strongest / np.maximum(power[own].sum(axis=1), np.float32(1e-12))
    level = np.log(power + np.float32(1e-9))
    above = np.maximum(level - _smoothed(level), 0)
    above /= np.maximum(np.linalg.norm(above, axis=1, keepdims=True), 1e-9)
    after = np.searchsorted(rows, here[has_later] + _LATER)
    lasting[has_later] = np.einsum("ij,ij->i", above[before], above[after])
    return lasting, lines


def _power(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of the lines between 250 and 3600 Hz."""
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), axis=1)[:, _LOW:_HIGH]
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)


def _smoothed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Running mean along each row, its edges filled with zeros."""
    half = _SMOOTH // 2
    summed = np.cumsum(np.pad(rows, ((0, 0), (half + 1, half))), axis=1, dtype=np.float64)
    return np.asarray((summed[:, _SMOOTH:] - summed[:, :-_SMOOTH]) / _SMOOTH, np.float32)


def _mean(values: NDArray[np.float32], flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over the flagged chunks of the second around each chunk, 0 where there are fewer than half a second."""
    half = _HELD // 2

    def around(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        summed = np.cumsum(np.pad(numbers, (half + 1, half)))
        return np.asarray(summed[_HELD:] - summed[:-_HELD])

    count = around(flags.astype(np.float64))
    total = around(np.where(flags, values, 0).astype(np.float64))
    return np.where(count >= half, total / np.maximum(count, 1), 0)


def _runs(flags: NDArray[np.bool_], *, at_least: int) -> NDArray[np.bool_]:
    """Only those flags that stand in a row of so many."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    kept = np.zeros_like(flags)
    for first, last in edges.reshape(-1, 2).tolist():
        kept[first:last] = last - first >= at_least
    return kept
