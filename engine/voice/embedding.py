"""From speech to a vector: the speaker-embedding network behind its front end.

In: 16 kHz mono samples. Out: raw vectors, neither centred nor of unit length. Which network it is does not matter, as
long as it takes the features of `fbank` with their mean removed and gives one vector per row of a batch.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.voice.fbank import HOP, WINDOW, fbank, normalised
from engine.voice.samples import RATE_HZ
from engine.voice.speech import session

Vector = NDArray[np.float32]

MIN_S = 0.5  # less holds no voice; the network needs a few frames to take a deviation over
_CHUNK_S = 30.0  # the longest that goes through in one piece, which bounds memory to some 100 MB
_SIDE_BY_SIDE = 6  # windows
_BATCH_S = 9.0  # so many seconds of windows go through side by side; larger batches take memory and win no time


class Embedder:
    """The loaded network; one call computes on one thread, several may run at once."""

    def __init__(self, model: Path | bytes, *, input_name: str = "feats") -> None:
        self._session = session(model)
        self._input = input_name

    def embed(self, samples: NDArray[np.float32]) -> Vector:
        """One raw vector, (dimension,); sound longer than 30 s is taken in equal pieces and averaged.

        Raises:
            ValueError: under 0.5 s of sound.
        """
        if len(samples) < MIN_S * RATE_HZ:
            raise ValueError(f"{len(samples) / RATE_HZ:.2f} s of sound, {MIN_S} s needed for a vector")
        pieces = np.array_split(samples, -(-len(samples) // round(_CHUNK_S * RATE_HZ)))
        vectors = [self._run(normalised(fbank(piece))[None])[0] for piece in pieces]
        mean: Vector = np.mean(vectors, axis=0, dtype=np.float32)
        return mean

    def windows(self, samples: NDArray[np.float32], *, length_s: float, hop_s: float, most: int) -> Vector:
        """Raw vectors of windows of equal length, (windows, dimension), at most `most`, spread over the sound.

        Sound shorter than one window gives no rows. Each window's mean is removed on its own.
        """
        features = fbank(samples)
        length = (round(length_s * RATE_HZ) - WINDOW) // HOP + 1
        room = len(features) - length
        if room < 0:
            return np.zeros((0, 0), np.float32)
        count = min(most, room * HOP // round(hop_s * RATE_HZ) + 1)
        starts = np.rint(np.linspace(0, room, count)).astype(int) if count > 1 else [0]
        batch = normalised(np.stack([features[start : start + length] for start in starts]))
        size = max(1, int(_BATCH_S / length_s))
        return np.concatenate([self._run(batch[at : at + size]) for at in range(0, count, size)])

    def each(self, sounds: Iterable[NDArray[np.float32]]) -> Iterator[Vector]:
        """Raw vectors of sounds of equal length, one by one, each normalised on its own."""
        features = map(fbank, sounds)
        while few := list(islice(features, _SIDE_BY_SIDE)):
            yield from self._run(normalised(np.stack(few)))

    def _run(self, features: NDArray[np.float32]) -> Vector:
        vectors: Vector = self._session.run(None, {self._input: features})[0]
        return vectors
