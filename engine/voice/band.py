"""How wide a band sound has: whether it came by telephone, through a line, and up to where there is speech.

In: 16 kHz samples, or the spectrum of their louder parts. Out: yes or no, and Hz.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ
from engine.voice.speech import CHUNK

_NARROW_DB = -58.0
_LINE_DB = -31.0
_BAND_STEP_HZ = 250


def is_narrow_band(samples: NDArray[np.float32]) -> bool:
    """Tell whether the sound ends at the telephone's band, as `is_narrow`."""
    return is_narrow(loud_spectrum(samples))


def loud_spectrum(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean power of the loudest 40 % of Hann windows of 512 samples, (257,), 31.25 Hz a line; zeros under one."""
    if len(samples) < CHUNK:
        return np.zeros(CHUNK // 2 + 1)
    frames = np.lib.stride_tricks.sliding_window_view(samples, CHUNK)[::CHUNK]
    energy = np.square(frames).sum(axis=1)
    loudest = frames[energy >= np.quantile(energy, 0.6)]
    return np.asarray(np.square(np.abs(np.fft.rfft(loudest * np.hanning(CHUNK), axis=1))).mean(axis=0))


def is_narrow(spectrum: NDArray[np.float64]) -> bool:
    """Tell whether a spectrum ends at the telephone's band.

    Mean power in 4.6 to 7.6 kHz against 0.3 to 3.4 kHz. Speech of 261 people in full band was at -46 dB or above,
    whatever went through 8 kHz at -76 dB or below. From 4 to 4.6 kHz the resampler leaves mirror images, so that part
    says nothing.
    """
    low = _between_hz(spectrum, 300, 3400)
    return low > 0 and 10 * math.log10(max(_between_hz(spectrum, 4600, 7600), 1e-30) / low) < _NARROW_DB


def is_line(spectrum: NDArray[np.float64]) -> bool:
    """Tell whether a telephone line took what is under 300 Hz too: voices sound unlike themselves, more than by codecs.

    Mean power in 60 to 125 Hz against 0.3 to 3.4 kHz. Speech of 268 people was at -27 dB or above, also through 8 kHz
    codecs; through 300 to 3400 Hz and G.711 at -36 dB or below.
    """
    low = _between_hz(spectrum, 300, 3400)
    return is_narrow(spectrum) and 10 * math.log10(max(_between_hz(spectrum, 60, 125), 1e-30) / low) < _LINE_DB


def bandwidth_hz(spectrum: NDArray[np.float64]) -> int:
    """Upper edge of the highest 250 Hz in which a spectrum is within 58 dB of its mean in 0.3 to 3.4 kHz; 0 of none.

    What is in the telephone's band reaches 4 kHz: beyond are the resampler's mirror images.
    """
    floor = _between_hz(spectrum, 300, 3400) * 10 ** (_NARROW_DB / 10)
    edges = range(4000 if is_narrow(spectrum) else 8000, 0, -_BAND_STEP_HZ)
    return next((hz for hz in edges if floor and _between_hz(spectrum, hz - _BAND_STEP_HZ, hz) > floor), 0)


def _between_hz(spectrum: NDArray[np.float64], low: float, high: float) -> float:
    hz = np.arange(len(spectrum)) * RATE_HZ / CHUNK
    return float(spectrum[(hz >= low) & (hz <= high)].mean())
