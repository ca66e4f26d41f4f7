"""How many people there are behind many short pieces of speech, and what the voice of each is.

In: centred vectors of pieces of about a second, and their seconds. Out: one vector of unit length per person. Pieces
are first grouped by average linkage, finely: a group is one person, but a person may be several groups. Groups that
hold too little are nobody. Then groups are joined by the cosine of their means, which for one person grows with the
seconds in them, and for two people does not: 0.67 without end, times the root of s / (s + 2) for the s seconds of each.
On telephone calls two groups of one person, 4 and 22 s, were at 0.57, and two people much alike, 26 s each, at 0.61.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice.talkers import grouped

_ALIKE = (0.34, 0.42, 0.50, 0.58)  # mean cosine of pieces in a group; the later ones where more people are asked for
_SAME, _HALF_S = 0.67, 2.0  # see above: a limit for the cosine of two means, and the seconds that halve what is sure
_SHARE, _LEAST_S = 0.04, 1.5  # a group under either is nobody: a cough, a crossing of two
_MOST = 600  # pieces that are grouped, spread evenly: grouping costs the cube of it
_ROUNDS = 2  # in which pieces go to the nearest person, and persons to the mean of their pieces

Vectors = NDArray[np.float32]


@dataclass(slots=True)
class _Groups:
    """Sums of the weighted vectors of some groups, (groups, dimension), and seconds of each, (groups,)."""

    sums: NDArray[np.float64]
    seconds: NDArray[np.float64]


def people(vectors: Vectors, seconds: NDArray[np.float64], *, count: int | None = None) -> Vectors:
    """Find the people.

    Args:
        vectors: of the pieces, of unit length, (pieces, dimension), at least one.
        seconds: of each, (pieces,).
        count: how many there are, if that is known; fewer are found where there are not so many voices.

    Returns:
        (people, dimension), unit length, who speaks most first.
    """
    few = np.linspace(0, len(vectors) - 1, min(len(vectors), _MOST)).astype(int)
    found = _units(_groups(vectors[few], seconds[few], count).sums)
    for _ in range(_ROUNDS):
        nearest = (vectors @ found.T).argmax(axis=1)
        kept = [number for number in range(len(found)) if (nearest == number).any()]
        sums = np.stack([seconds[nearest == number] @ vectors[nearest == number] for number in kept])
        found = _units(sums)
    spoken = np.bincount((vectors @ found.T).argmax(axis=1), seconds, minlength=len(found))
    return np.asarray(found[np.argsort(-spoken, kind="stable")], np.float32)


def _groups(vectors: Vectors, seconds: NDArray[np.float64], count: int | None) -> _Groups:
    """One group for each person."""
    if count is None:
        return _joined(_linked(vectors, seconds, alike=_ALIKE[0]), least=1, same=_SAME)
    most = _linked(vectors, seconds, alike=_ALIKE[0])
    for alike in _ALIKE[1:]:
        if len(most.sums) >= count:
            break
        finer = _linked(vectors, seconds, alike=alike)
        most = finer if len(finer.sums) > len(most.sums) else most
    return _joined(most, least=count, same=-np.inf)


def _linked(vectors: Vectors, seconds: NDArray[np.float64], *, alike: float) -> _Groups:
    """The groups that hold enough, or the largest one."""
    group = np.array(grouped(vectors, alike=alike))
    held_s = np.bincount(group, seconds).astype(np.float64)
    kept = np.flatnonzero(held_s >= max(_LEAST_S, _SHARE * held_s.sum()))
    if not len(kept):
        kept = np.array([held_s.argmax()])
    sums = np.stack([seconds[group == number] @ vectors[group == number] for number in kept])
    return _Groups(sums, held_s[kept])


def _joined(groups: _Groups, *, least: int, same: float) -> _Groups:
    """Join the two most surely alike while there are more than `least`, and they pass the limit."""
    sums, seconds = groups.sums, groups.seconds
    while len(sums) > least:
        units = _units(sums)
        sure = np.sqrt(seconds / (seconds + _HALF_S))
        likeness = units @ units.T / np.outer(sure, sure)
        np.fill_diagonal(likeness, -np.inf)
        a, b = sorted(divmod(int(likeness.argmax()), len(sums)))
        if likeness[a, b] < same:
            break
        sums[a] += sums[b]
        seconds[a] += seconds[b]
        sums, seconds = np.delete(sums, b, axis=0), np.delete(seconds, b)
    return _Groups(sums, seconds)


def _units(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))
