"""Scores of all trials in several ways, from the plain cosine to what the product does: what brings how much.

In: vectors of the clips. Out: a matrix of scores for each way. Means and scales are fitted on the clips kept for that,
whose speakers are in no trial.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice import evidence
from engine.voice.band import is_line
from tests.bench.voice.sounds import CONDITIONS
from tests.bench.voice.vectors import Heard

Scores = NDArray[np.float32]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Means:
    """Mean unit vectors of people who are in no trial.

    Attributes:
        wide: as recorded.
        narrow: through the telephone's band, which is what narrow-band prints are made with.
        channels: by condition, after the real thing.
    """

    wide: Vectors
    narrow: Vectors
    channels: Mapping[str, Vectors]

    @classmethod
    def of(cls, fitted: Mapping[str, Heard]) -> "Means":
        """Of the clips that are kept for fitting."""
        clean = fitted["clean"]
        return cls(
            wide=rows(clean.vectors).mean(axis=0),
            narrow=rows(clean.narrow).mean(axis=0),
            channels={name: rows(fitted[name].vectors).mean(axis=0) for name in CONDITIONS if name != "clean"},
        )


Way = Callable[[Heard, Heard, Means], Scores]


def rows(vectors: Vectors) -> Vectors:
    """Each row of unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def less(vectors: Vectors, mean: Vectors) -> Vectors:
    """Centred, of unit length."""
    return rows(rows(vectors) - mean)


def raw(enrolled: Heard, tested: Heard, _means: Means) -> Scores:
    """The cosine of the network's vectors."""
    return rows(enrolled.vectors) @ rows(tested.vectors).T


def centred(enrolled: Heard, tested: Heard, means: Means) -> Scores:
    """One mean taken off both."""
    return less(enrolled.vectors, means.wide) @ less(tested.vectors, means.wide).T


def band_matched(enrolled: Heard, tested: Heard, means: Means) -> Scores:
    """Compared in the narrower band of the two, each band with its mean."""
    narrow = less(enrolled.narrow, means.narrow) @ less(tested.narrow, means.narrow).T
    return _by_band(enrolled, tested, centred(enrolled, tested, means), narrow)


def _by_band(enrolled: Heard, tested: Heard, wide: Scores, narrow: Scores) -> Scores:
    return np.where(enrolled.narrow_band[:, None] | tested.narrow_band[None, :], narrow, wide)


def by_channel(enrolled: Heard, tested: Heard, means: Means) -> Scores:
    """As `band_matched`; what came by a telephone line is moved from a line's mean to that of narrow-band speech."""
    narrow = telephoned(enrolled, means) @ telephoned(tested, means).T
    return _by_band(enrolled, tested, centred(enrolled, tested, means), narrow)


def telephoned(heard: Heard, means: Means) -> Vectors:
    """Narrow-band vectors, centred; those of a line moved first, as `Voice.embed_narrow` does."""
    line = np.array([is_line(spectrum.astype(np.float64)) for spectrum in heard.spectrum])
    moved = rows(heard.narrow) - means.channels["telephone"] + means.narrow
    return less(np.where(line[:, None], moved, heard.narrow), means.narrow)


WAYS: dict[str, Way] = {
    "raw cosine": raw,
    "centred": centred,
    "band-matched": band_matched,
    "by channel": by_channel,
}


def calibrated(enrolled: Heard, tested: Heard, scores: Scores) -> Scores:
    """Log-likelihood ratios of scores, by the shipped scales."""
    found = [
        evidence.ratios(
            scores[:, at], narrow_band=enrolled.narrow_band | tested.narrow_band[at], speech_s=float(seconds)
        )
        for at, seconds in enumerate(tested.speech_s)
    ]
    return np.asarray(np.stack(found, axis=1), np.float32)
