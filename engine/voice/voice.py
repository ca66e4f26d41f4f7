"""The loaded models as one thing: find speech and turns, make vectors, know the centres.

Made once per process from the folder that `model.ensure` returned, then shared by all threads: a call computes on the
thread it is made on, and onnxruntime's sessions may be called from several at once.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.voice import memory, speech
from engine.voice.embedding import Embedder, Vector
from engine.voice.manifest import SEGMENTATION, Manifest, Provenance
from engine.voice.samples import RATE_HZ, Samples
from engine.voice.segmentation import Segmenter, chunks
from engine.voice.speech import Span, SpeechFinder
from engine.voice.tracks import Tracks, tracked
from engine.voice.turns import Turns
from engine.voice.voiceprint import unit


class Voice:
    """The loaded models."""

    def __init__(self, manifest: Manifest, embedder: Embedder, segmenter: Segmenter, finder: SpeechFinder) -> None:
        self.manifest = manifest
        self._embedder = embedder
        self._segmenter = segmenter
        self._finder = finder

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the embedding model in a folder that `model.ensure` returned, and the segmentation net beside it.

        Raises:
            ManifestError: it isn't such a folder, or there is none beside it.
        """
        manifest = Manifest.read(folder)
        beside = folder.parent / SEGMENTATION
        segmenter = Segmenter(beside / Provenance.read(beside).file)
        embedder = Embedder(folder / manifest.file, input_name=manifest.input_name)
        found = cls(manifest, embedder, segmenter, SpeechFinder(speech.network(folder.parent)))
        memory.bound()  # loading leaves 30 MB of scraps
        return found

    def centre(self, *, narrow_band: bool) -> Vector:
        """Mean vector of many speakers in one band, to be taken off before two voices are compared; (192,)."""
        return self.manifest.centre_narrow if narrow_band else self.manifest.centre_wide

    def speech(self, samples: Samples) -> tuple[Span, ...]:
        """Spans of speech in 16 kHz samples; pauses under 0.3 s are closed, 0.1 s is left on both sides."""
        return speech.spans(self.probabilities(samples), duration_s=len(samples) / RATE_HZ)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """Probability of speech per chunk of 32 ms."""
        return self._finder.probabilities(samples)

    def turns(self, samples: Samples) -> Turns:
        """Who of several people talks alone when in 16 kHz samples, and when two talk at once."""
        return self._segmenter.turns(samples)

    def tracks(self, samples: Samples) -> Tracks:
        """The same frame by frame: who talks, alone or at once with another, and how surely anybody does."""
        return tracked(self._segmenter.frames(samples), chunks(len(samples)))

    def embed(self, samples: NDArray[np.float32]) -> Vector:
        """Raw vector of 16 kHz samples, (192,)."""
        return self._embedder.embed(samples)

    def embed_narrow(self, samples: NDArray[np.float32], *, line: bool) -> Vector:
        """Raw vector of speech in the telephone's band, (dimension,).

        `line`: what is under 300 Hz is missing too (`band.is_line`). All voices are moved alike by that; so the
        vector is moved back, from a line's centre to that of narrow-band speech, and one centre serves for both.
        """
        vector = self.embed(samples)
        return unit(vector) - self.manifest.centre_line + self.manifest.centre_narrow if line else vector

    def windows(self, samples: NDArray[np.float32], *, length_s: float, hop_s: float, most: int = 40) -> Vector:
        """Raw vectors of windows over 16 kHz samples, (windows, 192); no rows where one window doesn't fit."""
        return self._embedder.windows(samples, length_s=length_s, hop_s=hop_s, most=most)

    def each(self, sounds: Iterable[NDArray[np.float32]]) -> Iterator[Vector]:
        """Raw vectors of 16 kHz sounds of equal length, one by one."""
        return self._embedder.each(sounds)
