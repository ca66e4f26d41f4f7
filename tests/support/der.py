"""Diarization error rate, as NIST's md-eval and pyannote.metrics count it.

In: who speaks when, of the truth and of what was found; the names need not be the same. Out: seconds missed, falsely
found, and given to the wrong speaker, over the seconds of the truth, where two who speak at once count twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

COLLAR_S = 0.25  # around each beginning and end of the truth nothing is counted, as NIST does


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody speaks from when to when, in seconds."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Errors:
    """Seconds of speech in the truth, and of each error; several add up."""

    truth_s: float = 0.0
    missed_s: float = 0.0
    false_s: float = 0.0
    confused_s: float = 0.0

    @property
    def rate(self) -> float:
        """Diarization error rate; 0 of nothing without errors, infinite of nothing with some."""
        wrong = self.missed_s + self.false_s + self.confused_s
        return wrong / self.truth_s if self.truth_s else (float("inf") if wrong else 0.0)

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.truth_s + other.truth_s,
            self.missed_s + other.missed_s,
            self.false_s + other.false_s,
            self.confused_s + other.confused_s,
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch in which nobody begins or ends, and who speaks in it."""

    duration_s: float
    truth: frozenset[str]
    found: frozenset[str]


def errors(truth: Sequence[Said], found: Sequence[Said], *, collar_s: float = COLLAR_S, overlap: bool = True) -> Errors:
    """Compare what was found with the truth, under the mapping of names that leaves least confusion.

    Args:
        truth: who really speaks when.
        found: what is judged.
        collar_s: seconds on both sides of each edge of the truth that are not counted.
        overlap: count where two of the truth speak at once.
    """
    pieces = [one for one in _pieces(truth, found, collar_s) if overlap or len(one.truth) < 2]
    names = mapping(pieces)
    total = Errors()
    for one in pieces:
        right = sum(names.get(who) in one.truth for who in one.found)
        there, heard = len(one.truth), len(one.found)
        total += Errors(
            there * one.duration_s,
            max(0, there - heard) * one.duration_s,
            max(0, heard - there) * one.duration_s,
            (min(there, heard) - right) * one.duration_s,
        )
    return total


def mapping(pieces: Iterable[_Piece]) -> dict[str, str]:
    """Names of what was found to names of the truth, one to one, so that most seconds agree."""
    both: dict[tuple[str, str], float] = {}
    for one in pieces:
        for pair in ((found, truth) for found in one.found for truth in one.truth):
            both[pair] = both.get(pair, 0.0) + one.duration_s
    rows = sorted({found for found, _ in both})
    columns = sorted({truth for _, truth in both})

    @cache
    def best(row: int, free: frozenset[str]) -> tuple[float, tuple[tuple[str, str], ...]]:
        if row == len(rows) or not free:
            return 0.0, ()
        choices = [best(row + 1, free)]
        for column in sorted(free):
            seconds, rest = best(row + 1, free - {column})
            choices.append((seconds + both.get((rows[row], column), 0.0), ((rows[row], column), *rest)))
        return max(choices, key=lambda one: one[0])

    return dict(best(0, frozenset(columns))[1])


def _pieces(truth: Sequence[Said], found: Sequence[Said], collar_s: float) -> list[_Piece]:
    collars = [(edge - collar_s, edge + collar_s) for one in truth for edge in (one.start_s, one.end_s)]
    edges = {edge for one in (*truth, *found) for edge in (one.start_s, one.end_s)}
    times = sorted(edges | {edge for collar in collars for edge in collar})
    pieces = []
    for start, end in pairwise(times):
        middle = (start + end) / 2
        if not any(a < middle < b for a, b in collars):
            pieces.append(_Piece(end - start, _who(truth, middle), _who(found, middle)))
    return pieces


def _who(said: Sequence[Said], at_s: float) -> frozenset[str]:
    return frozenset(one.speaker for one in said if one.start_s < at_s < one.end_s)
