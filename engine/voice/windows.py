"""Which stretch of a recording would make the best sample.

In: spans of speech, of what spoils a sample, and where the sound is clipped. Out: the best stretch, by arithmetic
alone; no network runs here.
A stretch begins where a span begins and ends where one ends, unless somebody speaks for longer than a sample may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice.speech import CHUNK_S, Span

_PAUSE_COST = 0.5  # of a second of pause, in seconds of speech: 12 s of dense speech beat 16 s with 9 s of pauses
_LONG_PAUSE_S = 1.0  # what a speaker pauses between sentences
_LONG_PAUSE_COST = 1.0  # of each second over that: a change of speaker, a question that was cut out
_CLIP_COST = 200.0  # of the clipped share: 1 % of clipped samples costs 2 s
_SPOILT_COST = 3.0  # of each second of music, a tone, or somebody else
_SPOILT_S = 0.3  # so much of it makes a stretch second choice
_CUT_COST = 0.5  # of a word cut in two at the end
_DENSITY = 0.6  # a stretch of the best length must be speech by so much, or a shorter one may be better
_STEP_S = 2.0  # where somebody speaks without a pause, a stretch may begin every so often
_OVERLAP = 0.5  # stretches that share more than this are one choice, not two


Times = NDArray[np.float64]  # in seconds


@dataclass(frozen=True, slots=True)
class Lengths:
    """Bounds of a stretch in seconds: what is allowed, and what is best."""

    min_s: float
    best_min_s: float
    best_max_s: float


def best(  # noqa: PLR0913  all that is known along the time
    spans: tuple[Span, ...],
    *,
    duration_s: float,
    lengths: Lengths,
    clipped: NDArray[np.float32],
    spoilt: tuple[Span, ...] = (),
    taken: Sequence[Span] = (),
) -> Span | None:
    """The best stretch of a recording; None of none.

    First come those that nothing spoils, of these those of the best length that are mostly speech; then by seconds of
    speech, less costs for pauses, clipping, what spoils and a cut word.

    Args:
        spans: where the speaker speaks, in order.
        duration_s: of the recording.
        lengths: of a stretch.
        clipped: share of samples at full scale, per 32 ms.
        spoilt: where there is music, a tone or another voice, in order and apart from each other.
        taken: stretches of whose material it may hold half at most.
    """
    bounds = sorted(_bounds(spans, duration_s=duration_s, lengths=lengths))
    if not bounds:
        return None
    start, end = np.array(bounds).T
    timeline = _Timeline(spans, clipped, spoilt)
    speech_s, spoilt_s, length = timeline.speech_s(start, end), timeline.spoilt_s(start, end), end - start
    score = (
        speech_s
        - _PAUSE_COST * (length - speech_s)
        - _LONG_PAUSE_COST * np.maximum(0.0, timeline.longest_pause_s(start, end) - _LONG_PAUSE_S)
        - _CLIP_COST * timeline.clipped(start, end)
        - _SPOILT_COST * spoilt_s
        - _CUT_COST * timeline.is_speech(end)
    )
    is_clean = spoilt_s < _SPOILT_S
    is_best = (length >= lengths.best_min_s - 1e-6) & (speech_s >= _DENSITY * length)
    is_free = np.ones(len(length), np.bool_)
    for other in taken:
        shared = np.minimum(end, other.end_s) - np.maximum(start, other.start_s)
        is_free &= shared <= _OVERLAP * np.minimum(length, other.duration_s)
    best = int(np.lexsort((-start, np.round(score, 6), is_best, is_clean, is_free))[-1])  # the earliest of equals
    return Span(*bounds[best]) if is_free[best] else None


def _bounds(spans: tuple[Span, ...], *, duration_s: float, lengths: Lengths) -> set[tuple[float, float]]:
    """All pairs of a beginning and an end that are worth a look, of an allowed length."""
    longest = min(lengths.best_max_s, duration_s)
    found: set[tuple[float, float]] = set()
    for number, span in enumerate(spans):
        starts = [span.start_s, *np.arange(span.start_s + _STEP_S, span.end_s - lengths.min_s, _STEP_S).tolist()]
        for start in starts:
            ends = [start + longest, start + lengths.best_min_s]
            for later in spans[number:]:
                if later.end_s > start + longest:
                    break
                ends.append(later.end_s)
            found.update(_fitted(start, end, duration_s=duration_s, min_s=lengths.min_s) for end in ends)
    return found


def _fitted(start: float, end: float, *, duration_s: float, min_s: float) -> tuple[float, float]:
    """Widen a short stretch to the least length, and keep it inside the recording, whole milliseconds."""
    missing = max(0.0, min(min_s, duration_s) - (min(end, duration_s) - start))
    start = max(0.0, start - missing / 2)
    end = min(duration_s, max(end, start + min(min_s, duration_s)))
    start = max(0.0, min(start, end - min(min_s, duration_s)))
    return start, end


class _Timeline:
    """Spans and clipping summed up along the time, so that a stretch costs a few look-ups."""

    def __init__(self, spans: tuple[Span, ...], clipped: NDArray[np.float32], spoilt: tuple[Span, ...]) -> None:
        self._speech, self._spoilt = _Summed(spans), _Summed(spoilt)
        self._starts, self._ends = self._speech.starts, self._speech.ends
        self._pauses = self._starts[1:] - self._ends[:-1]
        self._clipped = np.concatenate([[0.0], np.cumsum(clipped, dtype=np.float64)])

    def speech_s(self, start: Times, end: Times) -> Times:
        return self._speech.until(end) - self._speech.until(start)

    def spoilt_s(self, start: Times, end: Times) -> Times:
        return self._spoilt.until(end) - self._spoilt.until(start)

    def is_speech(self, time: Times) -> NDArray[np.bool_]:
        number = np.searchsorted(self._starts, time - 1e-6) - 1
        return np.asarray((number >= 0) & (time < self._ends[number] - 1e-6))

    def longest_pause_s(self, start: Times, end: Times) -> Times:
        first, last = np.searchsorted(self._ends, start), np.searchsorted(self._starts, end) - 1
        ranges = np.stack([first, np.maximum(first, last)], axis=1).ravel()
        longest = np.maximum.reduceat(np.append(self._pauses, [0.0, 0.0]), ranges)[::2]
        return np.where(first < last, longest, 0.0)

    def clipped(self, start: Times, end: Times) -> Times:
        first, last = (np.minimum((time / CHUNK_S).astype(int), len(self._clipped) - 1) for time in (start, end))
        return np.asarray((self._clipped[last] - self._clipped[first]) / np.maximum(1, last - first))


class _Summed:
    """Spans summed up along the time."""

    def __init__(self, spans: tuple[Span, ...]) -> None:
        self.starts = np.array([span.start_s for span in spans])
        self.ends = np.array([span.end_s for span in spans])
        self._before = np.concatenate([[0.0], np.cumsum(self.ends - self.starts)])

    def until(self, time: Times) -> Times:
        """Seconds of them before a time."""
        number = np.searchsorted(self.starts, time)
        over = np.append(self.ends, 0.0)[number - 1] - time  # of the last one that began
        return np.asarray(self._before[number] - np.where(number > 0, np.maximum(0.0, over), 0.0))
