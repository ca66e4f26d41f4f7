"""The conditions under which clips are heard, and their vectors.

A condition is what a recording went through; every clip is encoded and decoded for real and ends as 16 kHz mono, as the
engine would get it. Peers hear the very same samples, as WAV files below build/.
"""

import numpy as np
from numpy.typing import NDArray

from engine.voice.recording import decode
from engine.voice.samples import RATE_HZ, floats
from tests.support import corpus

Samples = NDArray[np.float32]

CONDITIONS = ("clean", "telephone", "MP3 8 kHz", "AMR-NB")
_TELEPHONE_HZ = (300.0, 3400.0)
_EDGE_HZ = 60.0


def heard(samples: Samples, condition: str) -> Samples:
    """A clip after its way, 16 kHz."""
    match condition:
        case "clean":
            return samples
        case "telephone":
            data = corpus.through([telephone_band(samples)], "telephone")
        case "MP3 8 kHz":
            data = corpus.through([samples], "mp3 8 kHz")
        case _:
            data = corpus.through([samples], "amr")
    return floats(decode(data).samples)


def telephone_band(samples: Samples) -> Samples:
    """What a telephone line passes, 300 to 3400 Hz (ITU-T G.712), with edges of 60 Hz."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    low, high = _TELEPHONE_HZ
    gain = np.clip((hz - low) / _EDGE_HZ + 1, 0, 1) * np.clip((high - hz) / _EDGE_HZ + 1, 0, 1)
    return np.asarray(np.fft.irfft(spectrum * gain, len(samples)), np.float32)
