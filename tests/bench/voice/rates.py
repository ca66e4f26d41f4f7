"""Error rates of trials, with intervals by drawing speakers anew.

Trials share speakers, so they are no independent draws, and an interval over trials would be far too narrow. Drawn with
replacement are the speakers (Bolle, Ratha, Pankanti, "Error analysis of pattern recognition systems: the subsets
bootstrap", 2004): a trial of one speaker weighs as often as that one was drawn, one of two as the product of both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.voice.trials import Clip

Scores = NDArray[np.float32]
Numbers = NDArray[np.float64]

_DRAWS = 200
_SEED = 7
_LEAST = 0.01  # percent: what 0 is taken for where a rate is divided by


@dataclass(frozen=True, slots=True)
class Rate:
    """An equal error rate in percent with its 95 % interval."""

    percent: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.percent:.2f} ({self.low:.2f}..{self.high:.2f})"


def equal_error(scores: Scores, truth: NDArray[np.int8], weights: Numbers | None = None) -> float:
    """Percent at which as many speakers are missed as strangers let in; trials of `truth` -1 don't count."""
    counts = truth >= 0
    values, same = scores[counts], truth[counts] == 1
    heavy = np.ones(len(values)) if weights is None else weights[counts]
    order = np.argsort(values, kind="stable")
    same, heavy = same[order], heavy[order]
    missed = np.concatenate([[0.0], np.cumsum(heavy * same)]) / max((heavy * same).sum(), 1e-12)
    passed = 1 - np.concatenate([[0.0], np.cumsum(heavy * ~same)]) / max((heavy * ~same).sum(), 1e-12)
    at = int(np.argmin(np.abs(missed - passed)))
    return float(missed[at] + passed[at]) * 50


def rate(scores: Scores, truth: NDArray[np.int8], enrolled: tuple[Clip, ...], tested: tuple[Clip, ...]) -> Rate:
    """The rate of all trials, and its interval."""
    drawn = [equal_error(scores, truth, weights) for weights in _drawn(truth, enrolled, tested)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Rate(equal_error(scores, truth), float(low), float(high))


def ratio(
    scores: Scores, other: Scores, truth: NDArray[np.int8], enrolled: tuple[Clip, ...], tested: tuple[Clip, ...]
) -> Rate:
    """How many times higher the first's rate is, and the interval of that: both of the same speakers drawn."""

    def times(weights: Numbers | None) -> float:
        return equal_error(scores, truth, weights) / max(equal_error(other, truth, weights), _LEAST)

    drawn = [times(weights) for weights in _drawn(truth, enrolled, tested)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Rate(times(None), float(low), float(high))


def _drawn(truth: NDArray[np.int8], enrolled: tuple[Clip, ...], tested: tuple[Clip, ...]) -> Iterator[Numbers]:
    """How often each trial counts, draw by draw."""
    names = sorted({clip.speaker for clip in (*enrolled, *tested)})
    number = {name: at for at, name in enumerate(names)}
    rows = np.array([number[clip.speaker] for clip in enrolled])
    columns = np.array([number[clip.speaker] for clip in tested])
    own = rows[:, None] == columns[None, :]
    rng = np.random.default_rng(_SEED)
    for _ in range(_DRAWS):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names)).astype(np.float64)
        weights = np.where(own, times[rows][:, None], np.outer(times[rows], times[columns]))
        if (weights * (truth == 1)).sum() > 0:
            yield weights
