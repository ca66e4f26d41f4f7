"""Who of several people speaks when in one channel, and which of them is meant.

Two networks work together: segmentation hears where a voice begins, ends and meets another, but its numbers hold for
ten seconds only; voiceprints of 1.6 s tell whether two places are one person. Grouping is by average linkage: the two
groups whose voiceprints are most alike on average become one, as long as that is over the threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.voice.likeness import KnownVoice
from engine.voice.measures import is_line, is_narrow, loud_spectrum
from engine.voice.recording import narrowed
from engine.voice.samples import RATE_HZ, Samples
from engine.voice.speech import Span, merged
from engine.voice.turns import Run
from engine.voice.voice import Voice
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE, Vector, centred, score, unit

_WINDOW_S = 1.6
_PROBES_S = (0.4, 0.8, 1.2)  # after a window, where a change of voice before the next one is looked for
_JOIN_S = 0.5  # a pause in which nobody else speaks, over which one goes on
_MOST = 480  # windows of a recording; grouping costs the square of it
ALIKE = (0.28, 0.36, 0.44)  # mean centred cosine of windows from which two groups are one person; the later ones for
# voices so like each other that the first takes them for one
_SHARE, _LEAST_S = 0.05, 4.0  # a group under both is nobody: a cough, a crossing of two


@dataclass(frozen=True, slots=True)
class Talker:
    """One of several people: the raw mean vector of the windows, (192,), and where the person speaks, in order."""

    vector: Vector
    spans: tuple[Span, ...]

    @property
    def speech_s(self) -> float:
        """Seconds of it."""
        return sum(span.duration_s for span in self.spans)


@dataclass(frozen=True, slots=True)
class Talkers:
    """Everybody who is heard in a channel, who speaks most first; what is nobody's; where two speak at once."""

    people: tuple[Talker, ...]
    unclear: tuple[Span, ...]
    overlaps: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the networks heard of a channel, before anybody is told apart.

    Attributes:
        phrases: what one local speaker says without a pause.
        windows: where windows begin, in samples, and the phrase that each lies in.
        raw: their raw vectors, (windows, 192).
        overlaps: where two speak at once.
        narrow_band: the channel holds nothing above the telephone's band.
    """

    phrases: tuple[Run, ...]
    windows: tuple[tuple[int, int], ...]
    raw: NDArray[np.float32]
    overlaps: tuple[Span, ...]
    narrow_band: bool


def hear(voice: Voice, samples: Samples, *, narrow_band: bool) -> Heard:
    """Listen to a whole channel: half of the work of telling people apart, and all of its time."""
    turns = voice.turns(samples)
    phrases = _phrases(turns.runs)
    windows = _windows(phrases, len(samples))
    raw = voice.at(samples, [start for start, _ in windows], length_s=_WINDOW_S)
    return Heard(tuple(phrases), tuple(windows), raw, turns.overlaps, narrow_band)


def talkers(voice: Voice, samples: Samples, heard: Heard, *, alike: float = ALIKE[0]) -> Talkers:
    """Tell apart who speaks when.

    Args:
        voice: the models.
        samples: of the whole channel.
        heard: of the same.
        alike: mean centred cosine from which two groups are one person.
    """
    phrases, windows, raw = heard.phrases, heard.windows, heard.raw
    if not len(raw):
        return Talkers((), tuple(Span(one.start_s, one.end_s) for one in phrases), heard.overlaps)
    centre = voice.centre(narrow_band=heard.narrow_band)
    vectors = np.stack([centred(vector, centre) for vector in raw])
    groups = grouped(vectors, alike=alike)
    of_group = np.array(groups)
    centres = [unit(vectors[of_group == number].mean(axis=0)) for number in range(max(groups) + 1)]
    size = round(_WINDOW_S * RATE_HZ)

    def where(first: int, before: int, after: int) -> float:
        """Second at which the voice of one group becomes that of another, after the window that begins at `first`."""
        starts = [min(first + round(step * RATE_HZ), len(samples) - size) for step in _PROBES_S]
        probes = np.stack([centred(one, centre) for one in voice.at(samples, starts, length_s=_WINDOW_S)])
        left = int((probes @ (centres[before] - centres[after]) > 0).sum())
        return (first + round(_PROBES_S[0] * RATE_HZ * (left + 0.5))) / RATE_HZ + _WINDOW_S / 2

    pieces = _pieces(phrases, windows, _smoothed(groups, windows), where)
    total_s = sum(span.duration_s for span, _ in pieces)
    people: list[Talker] = []
    unclear: list[Span] = []
    for number in range(max(groups) + 1):
        spans = merged(span for span, group in pieces if group == number)
        seconds = sum(span.duration_s for span in spans)
        if seconds < _LEAST_S and seconds < _SHARE * total_s:
            unclear += spans
        elif spans:
            units = np.stack([unit(vector) for vector in raw[of_group == number]])
            mean = np.asarray(units.mean(axis=0), np.float32)
            people.append(Talker(mean, spans))
    unclear += [span for span, group in pieces if group < 0]
    people.sort(key=lambda talker: talker.speech_s, reverse=True)
    return Talkers(tuple(people), merged(unclear), heard.overlaps)


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


def _phrases(runs: Sequence[Run]) -> list[Run]:
    """Runs of one local speaker joined over short pauses."""
    phrases: list[Run] = []
    for run in runs:
        last = phrases[-1] if phrases else None
        if last and last.local_speaker == run.local_speaker and run.start_s - last.end_s <= _JOIN_S:
            phrases[-1] = Run(last.start_s, run.end_s, last.local_speaker)
        else:
            phrases.append(run)
    return phrases


def _windows(phrases: Sequence[Run], length: int) -> list[tuple[int, int]]:
    """Where windows begin, in samples, and the phrase each lies in; short phrases have none."""
    size = round(_WINDOW_S * RATE_HZ)
    total_s = sum(phrase.duration_s for phrase in phrases)
    hop_s = max(_WINDOW_S, total_s / _MOST)
    found = []
    for number, phrase in enumerate(phrases):
        room_s = phrase.duration_s - _WINDOW_S
        if room_s >= 0:
            starts = np.linspace(phrase.start_s, phrase.end_s - _WINDOW_S, 1 + int(np.ceil(room_s / hop_s)))
            found += [(min(round(start * RATE_HZ), length - size), number) for start in starts.tolist()]
    return [(start, number) for start, number in found if start >= 0]


def _smoothed(groups: Sequence[int], windows: Sequence[tuple[int, int]]) -> list[int]:
    """A window between two of one group, in the same phrase, is of that group."""
    smooth = list(groups)
    for at in range(1, len(groups) - 1):
        (_, before), (_, here), (_, after) = windows[at - 1 : at + 2]
        if before == here == after and groups[at - 1] == groups[at + 1]:
            smooth[at] = groups[at - 1]
    return smooth


def _pieces(
    phrases: Sequence[Run],
    windows: Sequence[tuple[int, int]],
    groups: Sequence[int],
    where: Callable[[int, int, int], float],
) -> list[tuple[Span, int]]:
    """Phrases cut where the group changes; -1 for phrases without a window."""
    pieces: list[tuple[Span, int]] = []
    for number, phrase in enumerate(phrases):
        mine = [at for at, (_, there) in enumerate(windows) if there == number]
        if not mine:
            pieces.append((Span(phrase.start_s, phrase.end_s), -1))
            continue
        start_s = phrase.start_s
        for at, following in pairwise(mine):
            if groups[at] != groups[following]:
                end_s = where(windows[at][0], groups[at], groups[following])
                pieces.append((Span(start_s, end_s), groups[at]))
                start_s = end_s
        pieces.append((Span(start_s, phrase.end_s), groups[mine[-1]]))
    return pieces


def _over(voice: Voice, raw: Vector, known: KnownVoice, *, narrow_band: bool) -> float:
    """Each side with the centre of its own band off: a voice known by telephone alone has no other."""
    if narrow_band or known.wide is None:
        there, limit = known.narrow - voice.centre(narrow_band=True), SAME_SPEAKER_NARROW
    else:
        there, limit = known.wide - voice.centre(narrow_band=False), SAME_SPEAKER_WIDE
    return score(centred(raw, voice.centre(narrow_band=narrow_band)), there) - limit
