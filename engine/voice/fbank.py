"""Log-mel filterbank features as Kaldi computes them, in numpy.

In: 16 kHz mono samples in [-1, 1]. Out: [frames, 80] float32, one frame per 10 ms. The networks here were trained on
exactly this front end, and a slightly different one still gives vectors, only bad ones; so the options are constants,
and a test pins the result. Definitions: Kaldi's `compute-fbank-feats` with dither 0 and the edges snipped.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ

BINS = 80
FEATURES = f"log-mel filterbank, {BINS} bins, 25 ms window, 10 ms shift, 20 Hz to Nyquist, waveform in [-1, 1]"
NORMALISATION = "mean over time subtracted per bin"
WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
_FFT = 512
_LOW_HZ = 20.0
_PREEMPHASIS = np.float32(0.97)
_FLOOR = np.float32(np.finfo(np.float32).eps)  # Kaldi's floor under the logarithm
_BLOCK = 4096  # frames worked on at one time, which keeps the scratch memory under 35 MB


def fbank(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the features, [frames, 80]; frames = 1 + (n - 400) // 160, none under 400 samples."""
    if len(samples) < WINDOW:
        return np.zeros((0, BINS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32, copy=False), WINDOW)[::HOP]
    return np.concatenate([_features(frames[start : start + _BLOCK]) for start in range(0, len(frames), _BLOCK)])


def normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract the mean over time of each bin; leading axes are kept apart."""
    centred: NDArray[np.float32] = features - features.mean(axis=-2, keepdims=True, dtype=np.float32)
    return centred


def _features(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    level = frames - frames.mean(axis=1, keepdims=True)
    level[:, 1:] -= _PREEMPHASIS * level[:, :-1].copy()
    level[:, 0] *= 1 - _PREEMPHASIS
    spectrum = np.fft.rfft(level * _povey(), _FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    features: NDArray[np.float32] = np.log(np.maximum(power @ _mel(), _FLOOR))
    return features


@cache
def _povey() -> NDArray[np.float32]:
    """A Hann window to the power of 0.85."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
    return np.asarray(hann**0.85, np.float32)


@cache
def _mel() -> NDArray[np.float32]:
    """Triangles of equal width on the mel scale 1127 ln(1 + f / 700), [257, 80]."""
    low, high = (1127 * np.log1p(hz / 700) for hz in (_LOW_HZ, RATE_HZ / 2))
    step = (high - low) / (BINS + 1)
    left = low + step * np.arange(BINS)
    place = 1127 * np.log1p(np.arange(_FFT // 2 + 1)[:, None] * RATE_HZ / _FFT / 700)
    triangles = np.minimum((place - left) / step, (left + 2 * step - place) / step)
    return np.asarray(np.maximum(triangles, 0), np.float32)
