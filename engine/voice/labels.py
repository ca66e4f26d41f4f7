"""From pieces whose voice is known to turns: every frame gets its speakers, two where two speak at once.

In: what the segmentation net heard, its pieces, and how likely each piece is whose. A piece too short for a voiceprint
goes to the nearest one of the same track, and so does each of two who speak at once. Out: stretches of one speaker
each, with 0.1 s more on both sides than the net hears, where nobody else speaks, and with short pauses closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice.tracks import NOBODY, Piece, Tracks, second, stretches
from engine.voice.turns import STEP_S

_PAD = round(0.1 / STEP_S)  # frames: the net drops soft beginnings and tails
_PAUSE = round(0.3 / STEP_S)  # frames
_LEAST = 3  # frames (0.05 s) of speech; less is a flicker of the net
_OTHER = 300  # frames (5 s) by which a piece of another track must be nearer: the net's own numbers hold that long


@dataclass(frozen=True, slots=True)
class Stretch:
    """One speaks from when to when, in seconds: the speaker's number, and how sure that is, 0 to 1."""

    start_s: float
    end_s: float
    person: int
    confidence: float


def said(tracks: Tracks, pieces: Sequence[Piece], chances: NDArray[np.float64]) -> list[Stretch]:
    """Who says what, in order of time.

    Args:
        tracks: of the recording.
        pieces: of the same, in order of time.
        chances: that a piece is a person's, (pieces, people); NaN in rows of pieces that have no voiceprint. One row
            at least has one.
    """
    whose = _filled(pieces, chances)
    belief = np.zeros((len(tracks.who), chances.shape[1]))
    for piece, chance in zip(pieces, whose, strict=True):
        person = int(chance.argmax())
        belief[piece.start : piece.end, person] = chance[person]
    for start, end in _crossings(tracks):
        for person, chance in _both(tracks.who[start], (start + end) / 2, pieces, whose):
            belief[start:end, person] = chance
    belief *= tracks.chance[:, None]
    found = [one for person in range(chances.shape[1]) for one in _stretches(belief, person)]
    return sorted(found, key=lambda one: (one.start_s, one.person))


def _filled(pieces: Sequence[Piece], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chances of pieces without a voiceprint, borrowed from the nearest with one."""
    has = np.flatnonzero(~np.isnan(chances[:, 0]))
    middles, tracks = _places([pieces[number] for number in has.tolist()])
    filled = chances.copy()
    for number in np.flatnonzero(np.isnan(chances[:, 0])).tolist():
        piece = pieces[number]
        away = _away(middles, tracks, at=(piece.start + piece.end) / 2, track=piece.track)
        filled[number] = chances[has[away.argmin()]]
    return filled


def _both(
    who: NDArray[np.int64], at: float, pieces: Sequence[Piece], whose: NDArray[np.float64]
) -> list[tuple[int, float]]:
    """The two who speak at once at a frame, with the chance of each; one where there are no two people."""
    middles, tracks = _places(pieces)
    aways = sorted((_away(middles, tracks, at=at, track=int(one)) for one in who), key=lambda away: float(away.min()))
    first = int(aways[0].argmin())
    one = int(whose[first].argmax())
    found = [(one, float(whose[first, one]))]
    others = np.flatnonzero(whose.argmax(axis=1) != one)
    if len(others):
        second_ = others[aways[1][others].argmin()]
        other = int(whose[second_].argmax())
        found.append((other, float(whose[second_, other])))
    return found


def _places(pieces: Sequence[Piece]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Middles, in frames, and tracks."""
    return np.array([(one.start + one.end) / 2 for one in pieces]), np.array([one.track for one in pieces])


def _away(middles: NDArray[np.float64], tracks: NDArray[np.int64], *, at: float, track: int) -> NDArray[np.float64]:
    """How far pieces are from a frame, in frames; those of other tracks farther."""
    return np.asarray(np.abs(middles - at) + np.where(tracks == track, 0, _OTHER))


def _crossings(tracks: Tracks) -> list[tuple[int, int]]:
    """Where the same two speak at once."""
    two = tracks.who[:, 1] != NOBODY
    pair = tracks.who[:, 0] * (int(tracks.who.max(initial=0)) + 1) + tracks.who[:, 1]
    return stretches(np.where(two, pair, NOBODY))


def _stretches(belief: NDArray[np.float64], person: int) -> list[Stretch]:
    """What one person says."""
    anybody = belief.max(axis=1) > 0
    spoken = [one for one in _flagged(belief[:, person] > 0) if one[1] - one[0] >= _LEAST]
    joined: list[tuple[int, int, float, int]] = []  # first, end, sum of belief, frames of speech
    for start, end in spoken:
        surely = float(belief[start:end, person].sum())
        last = joined[-1] if joined else None
        if last and start - last[1] <= _PAUSE + 2 * _PAD and not anybody[last[1] : start].any():
            joined[-1] = (last[0], end, last[2] + surely, last[3] + end - start)
        else:
            joined.append((start, end, surely, end - start))
    return [
        Stretch(
            max(0.0, second(start - _room(anybody[:start][::-1]))),
            second(end + _room(anybody[end:])),
            person,
            min(1.0, surely / frames),
        )
        for start, end, surely, frames in joined
    ]


def _room(anybody: NDArray[np.bool_]) -> int:
    """Frames that speech may be lengthened by: 0.1 s, or half of the pause to the next speech, if that is less."""
    ahead = anybody[: 2 * _PAD]
    return min(_PAD, (int(ahead.argmax()) if ahead.any() else len(ahead)) // 2 if len(ahead) else 0)


def _flagged(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    return stretches(np.where(flags, 1, NOBODY))
