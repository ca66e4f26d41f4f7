"""Who of several people speaks where in one channel, as far as it was listened to, and which of them is meant.

Windows are grouped by average linkage: the two groups whose voiceprints are most alike on average become one, as long
as that is over the threshold. Where stretches were listened to by the segmentation net, its turns draw the borders:
its numbers hold for ten seconds only, so the windows in its turns say whose they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.voice.band import is_line, is_narrow, loud_spectrum
from engine.voice.hearing import WINDOW_S, Hearing
from engine.voice.likeness import KnownVoice
from engine.voice.recording import narrowed
from engine.voice.speech import Span, merged
from engine.voice.turns import Turns
from engine.voice.voice import Voice
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE, Vector, centred, score, unit

ALIKE = (0.28, 0.36, 0.44)  # mean centred cosine of windows from which two groups are one person; the later ones for
# voices so like each other that the first takes them for one
LEAST_S = 3.0  # of different speech: two windows that agree; one alone is a cough, a crossing of two


@dataclass(frozen=True, slots=True)
class Talker:
    """One of several people: the raw mean vector of the windows, (192,), the windows, and their share of the speech."""

    vector: Vector
    windows: tuple[float, ...]
    share: float


def talkers(hearing: Hearing, *, alike: float = ALIKE[0]) -> list[Talker]:
    """Tell apart who speaks in the windows that were heard, who speaks most first.

    Args:
        hearing: a look was taken at least.
        alike: mean centred cosine from which two groups are one person.
    """
    heard = hearing.heard
    groups = grouped(hearing.vectors(heard, narrow_band=hearing.narrow_band), alike=alike)
    found = []
    for number in range(max(groups, default=-1) + 1):
        mine = [window for window, group in zip(heard, groups, strict=True) if group == number]
        if _covered_s(mine) >= LEAST_S:
            units = np.stack([unit(vector) for vector in hearing.raw(mine)])
            share = len(set(mine) & set(hearing.spread)) / max(1, len(hearing.spread))
            found.append(Talker(np.asarray(units.mean(axis=0), np.float32), tuple(mine), share))
    return sorted(found, key=lambda talker: (talker.share, len(talker.windows)), reverse=True)


def others(hearing: Hearing, people: Sequence[Talker], one: Talker) -> tuple[Span, ...]:
    """Where somebody else is to be heard than the one who is meant, or it is not clear who.

    Between two windows that are not the person's and have none between them nobody looked; it is taken for others'.
    """
    found = [span for listened in hearing.listened for span in listened.turns.overlaps]
    if len(people) > 1:
        own, heard = set(one.windows), hearing.heard
        found += [place for window in heard if window not in own for place in hearing.places(window)]
        for before, after in pairwise(heard):
            if after - before > WINDOW_S and not {before, after} & own:
                found += hearing.places(before, after - before)
        for listened in hearing.listened:
            found += _of_others(hearing, listened.turns, own)
    return merged(found)


def _of_others(hearing: Hearing, turns: Turns, own: set[float]) -> list[Span]:
    """Turns of those local speakers of whom most windows are somebody else's, or who have none."""
    votes: dict[int, int] = dict.fromkeys((run.local_speaker for run in turns.runs), 0)
    for window in hearing.heard:
        middle_s = hearing.middle_s(window)
        for run in turns.runs:
            if run.start_s <= middle_s < run.end_s:
                votes[run.local_speaker] += 1 if window in own else -1
    return [Span(run.start_s, run.end_s) for run in turns.runs if votes[run.local_speaker] <= 0]


def meant(voice: Voice, found: Sequence[Talker], known: KnownVoice | None, *, narrow_band: bool) -> Talker | None:
    """The one with the known voice if there is one, else who speaks most; None of none."""
    if known is None or not found:
        return found[0] if found else None
    over = [_over(voice, talker.vector, known, narrow_band=narrow_band) for talker in found]
    best = int(np.argmax(over))
    return found[best] if over[best] >= 0 else found[0]


def over_threshold(voice: Voice, spoken: NDArray[np.float32], known: KnownVoice) -> float:
    """How far speech is over the score from which it is the known voice's, in the widest band that both have."""
    spectrum = loud_spectrum(spoken)
    narrow = is_narrow(spectrum)
    band = narrow or known.wide is None
    sound = narrowed(spoken) if band and not narrow else spoken
    raw = voice.embed_narrow(sound, line=is_line(spectrum)) if band else voice.embed(sound)
    return _over(voice, raw, known, narrow_band=band)


def grouped(vectors: NDArray[np.float32], *, alike: float) -> list[int]:
    """Average linkage over vectors of unit length (n, dimension): the number of each one's group, from 0 on.

    The mean cosine between two groups is the dot product of their mean vectors, so groups are kept as those.
    """
    count = len(vectors)
    sizes = np.ones(count)
    means = vectors.astype(np.float64)
    likeness = means @ means.T
    np.fill_diagonal(likeness, -np.inf)
    members = [[number] for number in range(count)]
    while count > 1:
        a, b = sorted(divmod(int(likeness.argmax()), len(likeness)))
        if likeness[a, b] < alike:
            break
        means[a] = (sizes[a] * means[a] + sizes[b] * means[b]) / (sizes[a] + sizes[b])
        sizes[a] += sizes[b]
        members[a] += members[b]
        members[b] = []
        row = means @ means[a]
        gone = np.array([not one for one in members])
        row[gone | (np.arange(len(row)) == a)] = -np.inf
        likeness[a] = likeness[:, a] = row
        likeness[b] = likeness[:, b] = -np.inf
        count -= 1
    groups = [0] * len(vectors)
    for number, mine in enumerate(one for one in members if one):
        for member in mine:
            groups[member] = number
    return groups


def _covered_s(windows: Sequence[float]) -> float:
    """Seconds of speech in windows in order, what they share counted once."""
    return sum(min(WINDOW_S, after - before) for before, after in pairwise(windows)) + WINDOW_S * bool(windows)


def _over(voice: Voice, raw: Vector, known: KnownVoice, *, narrow_band: bool) -> float:
    """Each side with the centre of its own band off: a voice known by telephone alone has no other."""
    if narrow_band or known.wide is None:
        there, limit = known.narrow - voice.centre(narrow_band=True), SAME_SPEAKER_NARROW
    else:
        there, limit = known.wide - voice.centre(narrow_band=False), SAME_SPEAKER_WIDE
    return score(centred(raw, voice.centre(narrow_band=narrow_band)), there) - limit
