"""Sound in memory: 16 kHz mono, as 16-bit integers where it is long, as floats in [-1, 1] to compute on."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000

Samples = NDArray[np.float32] | NDArray[np.int16]


def floats(samples: Samples) -> NDArray[np.float32]:
    """As float32 in [-1, 1]; floats are returned as they are."""
    if samples.dtype == np.float32:
        return cast("NDArray[np.float32]", samples)
    return cast("NDArray[np.float32]", samples * np.float32(1 / 32768))


def sixteen_bits(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """As 16-bit integers, rounded to the nearest, without dither."""
    return np.asarray(np.clip(np.rint(samples * np.float32(32768)), -32768, 32767), np.int16)
