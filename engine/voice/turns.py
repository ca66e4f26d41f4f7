"""Who talks when, stitched together from chunks that overlap.

In: for every chunk and frame, which of its three local speakers are active; a chunk numbers its speakers as it likes.
Out: for the whole recording, the stretches in which one speaker talks alone, and those in which two talk at once.

Speakers of neighbouring chunks are matched by when they talk in the time that both chunks cover. Who can't be matched,
for instance after silence, gets a new number: two numbers may be one person, which is for voiceprints to find out.
"""

from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ
from engine.voice.speech import Span

SPEAKERS = 3  # that a chunk can tell apart
STEP = 270  # samples from one frame to the next: the first layer's stride 10 and three pools of 3
STEP_S = STEP / RATE_HZ  # 16.9 ms
FIELD = 991  # samples that one frame is computed from
FIRST_S = (FIELD - STEP) / 2 / RATE_HZ  # where the first frame's own 16.9 ms begin, in the middle of its field

_SILENCE, _OVERLAP = -1, -2
_ALIKE = 0.5  # of the frames in which either of two is active, they must both be, or they are not the same one
_LEAST = 15  # frames (0.25 s) active in both chunks, or the match rests on a click

Activity = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch in which one speaker talks alone and without a pause, in seconds from the beginning."""

    start_s: float
    end_s: float
    local_speaker: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Turns:
    """A recording in which somebody talks alone, several talk at once, or nobody talks; each in order of time."""

    runs: tuple[Run, ...]
    overlaps: tuple[Span, ...]

    @property
    def overlap_s(self) -> float:
        """Seconds in which two talk at once."""
        return sum(span.duration_s for span in self.overlaps)

    @property
    def overlap_share(self) -> float:
        """Share of the speech in which two talk at once; 0 where nobody talks."""
        speech_s = self.overlap_s + sum(run.duration_s for run in self.runs)
        return self.overlap_s / speech_s if speech_s else 0.0

    def later(self, seconds: float) -> "Turns":
        """The same turns so many seconds later."""
        runs = (Run(run.start_s + seconds, run.end_s + seconds, run.local_speaker) for run in self.runs)
        return Turns(tuple(runs), tuple(Span(one.start_s + seconds, one.end_s + seconds) for one in self.overlaps))

    def between(self, at: Span) -> "Turns":
        """What of them lies in a stretch."""
        runs = (Run(*_clipped(run, at), run.local_speaker) for run in self.runs)
        overlaps = (Span(*_clipped(one, at)) for one in self.overlaps)
        return Turns(
            tuple(run for run in runs if run.duration_s > 0), tuple(one for one in overlaps if one.duration_s > 0)
        )


def _clipped(one: Run | Span, at: Span) -> tuple[float, float]:
    return max(one.start_s, at.start_s), min(one.end_s, at.end_s)


def stitched(active: Activity, firsts: NDArray[np.int64]) -> Turns:
    """Put chunks together.

    Args:
        active: (chunks, frames, 3).
        firsts: number of each chunk's first frame, counted from the beginning of the recording, (chunks,), rising by
            less than `frames`.
    """
    if not len(active):
        return Turns((), ())
    line = _timeline(active, firsts, numbered(active, firsts))
    edges = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
    runs, overlaps = [], []
    for start, end in pairwise(edges):
        start_s, end_s = (FIRST_S + STEP_S * edge for edge in (start, end))
        speaker = int(line[start])
        if speaker == _OVERLAP:
            overlaps.append(Span(start_s, end_s))
        elif speaker != _SILENCE:
            runs.append(Run(start_s, end_s, speaker))
    return Turns(tuple(runs), tuple(overlaps))


def numbered(active: Activity, firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the local speakers throughout the recording, (chunks, 3), from 0 on; -1 for who says nothing."""
    numbers = np.full((len(active), SPEAKERS), -1)
    following = 0
    is_there: Activity = np.any(active, axis=1)
    for chunk in range(len(active)):
        if chunk:
            shared = int(firsts[chunk] - firsts[chunk - 1])
            before, now = active[chunk - 1][shared:], active[chunk][: len(active[chunk]) - shared]
            for known, local in _matches(before, now):
                numbers[chunk, local] = numbers[chunk - 1, known]
        new = np.flatnonzero(is_there[chunk] & (numbers[chunk] < 0))
        numbers[chunk, new] = range(following, following + len(new))
        following += len(new)
    return numbers


def _matches(before: Activity, now: Activity) -> list[tuple[int, int]]:
    """Pairs of the same speaker in two readings (frames, 3) of the same time, under the best permutation."""
    both = before.astype(int).T @ now
    either = before.sum(axis=0)[:, None] + now.sum(axis=0) - both
    best = max(permutations(range(SPEAKERS)), key=lambda order: both[range(SPEAKERS), order].sum())
    return [
        (known, local)
        for known, local in enumerate(best)
        if both[known, local] >= _LEAST and both[known, local] > _ALIKE * either[known, local]
    ]


def _timeline(active: Activity, firsts: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Per frame of the recording the number of who talks alone, -1 for silence, -2 for overlap."""
    frames = active.shape[1]
    length = int(firsts[-1]) + frames
    line = np.full(length, _SILENCE)
    for chunk, (start, end) in enumerate(pairwise(cuts(firsts, frames))):
        part = active[chunk, start - firsts[chunk] : end - firsts[chunk]]
        alone = numbers[chunk, part.argmax(axis=1)]
        line[start:end] = np.choose(np.minimum(part.sum(axis=1), 2), [_SILENCE, alone, _OVERLAP])
    return line


def cuts(firsts: NDArray[np.int64], frames: int) -> list[int]:
    """Frames at which one chunk takes over from the one before, with the first frame and the end of the last.

    Where two chunks cover a time, the cut lies in its middle: the net hears best what has sound on both sides.
    """
    return [0, *((firsts[:-1] + frames + firsts[1:]) // 2).tolist(), int(firsts[-1]) + frames]
