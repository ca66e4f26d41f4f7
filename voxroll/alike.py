"""Whether two people of one manifest have the same voice: everybody is compared with everybody, as the worker searches.

One voice is 768 bytes; of 100,000 people 77 MB. By telephone strangers are alike too often for a fixed threshold, so
there it takes as many people as a threshold of their own scores needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice import calibration
from engine.voice.likeness import KnownVoice
from engine.voice.voice import Voice
from engine.voice.voiceprint import SAME_SPEAKER_WIDE, Vector, unit

_BLOCK = 512  # people compared with all others at one time
_SAMPLED = 500  # people whose pairs tell how alike strangers are, as in the worker's gallery


@dataclass(frozen=True, slots=True)
class Alike:
    """Two people who sound like one: the score, and from which on they do."""

    one: str
    other: str
    score: float
    threshold: float


class Crowd:
    """The voices of many people."""

    def __init__(self, voice: Voice) -> None:
        self._centres = [voice.centre(narrow_band=band) for band in (False, True)]
        self._names: list[str] = []
        self._wide: list[NDArray[np.float16]] = []
        self._narrow: list[NDArray[np.float16]] = []

    def add(self, name: str, known: KnownVoice) -> None:
        """Add somebody; without full-band audio there is no wide voice."""
        wide, narrow = self._centres
        self._names.append(name)
        self._wide.append((np.zeros_like(wide) if known.wide is None else unit(known.wide - wide)).astype(np.float16))
        self._narrow.append(unit(known.narrow - narrow).astype(np.float16))

    def pairs(self) -> Iterator[Alike]:
        """Those of two different people who are too alike, each pair once, in the widest band that both have."""
        if not self._names:
            return
        wide, narrow = (np.stack(rows).astype(np.float32) for rows in (self._wide, self._narrow))
        has_wide: NDArray[np.bool_] = np.any(wide != 0, axis=1)
        thresholds = _threshold(wide[has_wide], len(wide), SAME_SPEAKER_WIDE), _threshold(narrow, len(narrow), np.inf)
        for start in range(0, len(wide), _BLOCK):
            here = slice(start, start + _BLOCK)
            both = has_wide[here, None] & has_wide
            scores = np.where(both, wide[here] @ wide.T, narrow[here] @ narrow.T)
            limits = np.where(both, *thresholds)
            later = np.arange(len(wide)) > np.arange(start, start + len(scores))[:, None]
            for row, column in np.argwhere(later & (scores >= limits)).tolist():
                one, other = self._names[start + row], self._names[column]
                yield Alike(one, other, float(scores[row, column]), float(limits[row, column]))


def _threshold(vectors: Vector, voices: int, otherwise: float) -> float:
    """From which score on two of so many are one, by the scores of some; otherwise where they are too few."""
    if len(vectors) < calibration.LEAST_SPEAKERS:
        return otherwise
    if len(vectors) > _SAMPLED:
        vectors = vectors[np.random.default_rng(0).choice(len(vectors), _SAMPLED, replace=False)]
    scores = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return calibration.search_threshold(scores, voices=voices, fixed=SAME_SPEAKER_WIDE)
