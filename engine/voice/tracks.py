"""Who talks when by the segmentation net alone: one line of frames for a whole recording, and pieces of one voice.

In: log-probabilities of chunks that overlap. Out: for every frame the numbers of one or two who talk, which hold for
some seconds only, and how surely somebody talks. A piece is a stretch in which one of these talks alone, short enough
to hold one voice even where the net takes two people who are much alike for one.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.voice.segmentation import activity
from engine.voice.turns import FIRST_S, STEP_S, cuts, numbered

NOBODY = -1
_TWO = 2  # the most that the net hears at once


@dataclass(frozen=True, slots=True)
class Tracks:
    """What the net heard of a recording, frame by frame.

    Attributes:
        who: numbers of those who talk, (frames, 2), filled up with -1; one who talks alone stands first.
        chance: probability that somebody talks, (frames,).
    """

    who: NDArray[np.int64]
    chance: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames in which one alone talks, and the number of that one."""

    start: int
    end: int
    track: int

    @property
    def start_s(self) -> float:
        """Seconds from the beginning of the recording."""
        return second(self.start)

    @property
    def end_s(self) -> float:
        """Likewise."""
        return second(self.end)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return STEP_S * (self.end - self.start)


def second(frame: int) -> float:
    """Where a frame begins."""
    return FIRST_S + STEP_S * frame


def tracked(logp: NDArray[np.float32], firsts: NDArray[np.int64]) -> Tracks:
    """Put chunks together.

    Args:
        logp: log-probabilities of the seven classes, (chunks, frames, 7).
        firsts: number of each chunk's first frame, (chunks,).
    """
    if not len(logp):
        return Tracks(np.zeros((0, _TWO), np.int64), np.zeros(0, np.float32))
    active = activity(logp)
    numbers, taken = numbered(active, firsts), cuts(firsts, active.shape[1])
    who = np.full((taken[-1], _TWO), NOBODY)
    chance = np.zeros(taken[-1], np.float32)
    for chunk, (start, end) in enumerate(pairwise(taken)):
        here = slice(start - firsts[chunk], end - firsts[chunk])
        found = np.where(active[chunk, here], numbers[chunk], NOBODY)
        who[start:end] = np.sort(found, axis=1)[:, ::-1][:, :_TWO]
        chance[start:end] = 1 - np.exp(logp[chunk, here, 0])
    return Tracks(who, chance)


def pieces(who: NDArray[np.int64], *, most_s: float) -> list[Piece]:
    """Stretches in which one talks alone, cut to equal parts of about so many seconds at most, in order of time."""
    alone = who[:, 1] == NOBODY
    found = []
    for start, end in stretches(np.where(alone, who[:, 0], NOBODY)):
        parts = max(1, round(STEP_S * (end - start) / most_s))
        edges = np.rint(np.linspace(start, end, parts + 1)).astype(int).tolist()
        found += [Piece(a, b, int(who[start, 0])) for a, b in pairwise(edges)]
    return found


def stretches(line: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First frame and end of each stretch of one number other than -1."""
    edges = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
    return [(start, end) for start, end in pairwise(edges) if end > start and line[start] != NOBODY]
