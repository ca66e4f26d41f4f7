"""A channel as it is listened to: here and there first, and closely only where a sample may be cut.

In: the samples of a channel and where somebody speaks. Out: voiceprints of windows of 1.5 s of the speech, pauses left
out, and turns of the stretches that were asked for. Both networks cost a hundred times more than finding the speech, so
what was heard is kept, and nothing is heard twice.

A window is named by the second of speech, not of the recording, that it begins at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ, Samples, floats
from engine.voice.speech import Span
from engine.voice.turns import Turns
from engine.voice.voice import Voice
from engine.voice.voiceprint import Vector, centred

WINDOW_S = 1.5
_HOP_S = 0.75  # from one window to the next in a stretch that is judged
_MOST = 24  # windows of a stretch; 276 pairs hold the 10th percentile well, and bound the time
_NEAR_S = 0.1  # windows so near to each other are one, or a border that moves a little would have all heard again
_AROUND_S = 1.0  # of a stretch is listened to as well, for the same reason
_FEW, _MANY = 64, 480  # windows to begin with: grouping costs the square of them
_APART_S = 10.0  # from one of these to the next, in a long recording


@dataclass(frozen=True, slots=True)
class Listened:
    """A stretch that segmentation heard, and the turns in it, in seconds of the recording."""

    at: Span
    turns: Turns


class Hearing:
    """What the networks heard of a channel so far."""

    def __init__(self, voice: Voice, samples: Samples, spans: Sequence[Span], *, narrow_band: bool) -> None:
        self.narrow_band = narrow_band
        self.spread: tuple[float, ...] = ()
        self.listened: list[Listened] = []
        self._voice, self._samples = voice, samples
        self._starts = np.array([round(span.start_s * RATE_HZ) for span in spans])
        ends = np.array([round(span.end_s * RATE_HZ) for span in spans])
        self._before = np.concatenate([[0], np.cumsum(ends - self._starts)])  # samples of speech before each span
        self._raw: dict[float, Vector] = {}

    @property
    def heard(self) -> list[float]:
        """Windows that were heard, in order."""
        return sorted(self._raw)

    def raw(self, windows: Iterable[float]) -> NDArray[np.float32]:
        """Their raw vectors, (windows, dimension); those that weren't heard yet are."""
        wanted = list(windows)
        missing = [window for window in wanted if window not in self._raw]
        sounds = (self._sound(window) for window in missing)
        self._raw.update(zip(missing, self._voice.each(sounds), strict=True))
        return np.stack([self._raw[window] for window in wanted]) if wanted else np.zeros((0, 0), np.float32)

    def vectors(self, windows: Iterable[float], *, narrow_band: bool) -> NDArray[np.float32]:
        """The same, centred, of unit length."""
        raw, centre = self.raw(windows), self._voice.centre(narrow_band=narrow_band)
        return np.array([centred(one, centre) for one in raw])

    def look(self, *, closely: bool) -> None:
        """Hear windows spread evenly over all speech: a few, enough to know who speaks most; or one after the other."""
        speech_s = float(self._before[-1]) / RATE_HZ
        most = _MANY if closely else max(_FEW, round(speech_s / _APART_S))
        self.spread = _evenly(0.0, speech_s, min(most, int(speech_s / WINDOW_S)))
        self.raw(self.spread)

    def windows(self, at: Span) -> tuple[float, ...]:
        """The windows that a stretch is judged by: from edge to edge, every 0.75 s, or 24; heard ones if near."""
        start, end = self._spoken(at)
        count = max(2, int((end - start - WINDOW_S) / _HOP_S + 1)) if end - start >= WINDOW_S else 0
        heard = np.array([*self.heard, np.inf])
        nearest = {
            window: float(heard[np.abs(heard - window).argmin()]) for window in _evenly(start, end, min(count, _MOST))
        }
        return tuple(one if abs(one - window) <= _NEAR_S else window for window, one in nearest.items())

    def closer(self, at: Span) -> bool:
        """Hear windows of a stretch midway between where something was heard; tells whether there was a gap."""
        wanted, heard = self.windows(at), np.array(self.heard)
        known = [n for n, window in enumerate(wanted) if np.abs(heard - window).min(initial=_HOP_S) <= _HOP_S / 2]
        midway = [
            wanted[(left + right) // 2] for left, right in pairwise([-1, *known, len(wanted)]) if right - left > 1
        ]
        self.raw(midway)
        return bool(midway)

    def wholly(self, at: Span) -> bool:
        """Hear all windows of a stretch, and its turns; tells whether anything was new."""
        missing = [window for window in self.windows(at) if window not in self._raw]
        is_new = bool(missing) or not self.is_listened(at)
        self.raw(missing)
        self.listen(at)
        return is_new

    def is_listened(self, at: Span) -> bool:
        """Whether segmentation heard the whole of a stretch."""
        return any(one.at.start_s <= at.start_s and at.end_s <= one.at.end_s for one in self.listened)

    def listen(self, at: Span) -> Turns:
        """Who of several talks when in a stretch."""
        if not self.is_listened(at):
            start = max(0, round((at.start_s - _AROUND_S) * RATE_HZ))
            end = min(len(self._samples), round((at.end_s + _AROUND_S) * RATE_HZ))
            turns = self._voice.turns(self._samples[start:end]).later(start / RATE_HZ)
            self.listened.append(Listened(Span(start / RATE_HZ, max(at.end_s, end / RATE_HZ)), turns))
        around = (one for one in self.listened if one.at.start_s <= at.start_s and at.end_s <= one.at.end_s)
        return next(around).turns.between(at)

    def places(self, window: float, length_s: float = WINDOW_S) -> list[Span]:
        """Where a window lies in the recording: one piece, or several with pauses between."""
        return [Span(start / RATE_HZ, end / RATE_HZ) for start, end in self._pieces(window, length_s)]

    def middle_s(self, window: float) -> float:
        """The second of the recording in the middle of a window."""
        return self.places(window + WINDOW_S / 2, 1 / RATE_HZ)[0].start_s

    def _sound(self, window: float) -> NDArray[np.float32]:
        found = np.concatenate([self._samples[start:end] for start, end in self._pieces(window, WINDOW_S)])
        return np.pad(floats(found), (0, round(WINDOW_S * RATE_HZ) - len(found)))  # of the last one a few are missing

    def _pieces(self, window: float, length_s: float) -> list[tuple[int, int]]:
        at, left = round(window * RATE_HZ), round(length_s * RATE_HZ)
        number = int(np.searchsorted(self._before, at, side="right")) - 1
        found = []
        while left > 0 and number < len(self._starts):
            offset = at - int(self._before[number])
            length = min(left, int(self._before[number + 1]) - at)
            start = int(self._starts[number]) + offset
            found.append((start, start + length))
            at, left, number = at + length, left - length, number + 1
        return found

    def _spoken(self, at: Span) -> tuple[float, float]:
        """From seconds of the recording to seconds of speech."""
        found = []
        for time in (at.start_s, at.end_s):
            sample = round(time * RATE_HZ)
            number = int(np.searchsorted(self._starts, sample, side="right")) - 1
            inside = 0 if number < 0 else min(sample - int(self._starts[number]), int(np.diff(self._before)[number]))
            found.append((int(self._before[max(0, number)]) + inside) / RATE_HZ)
        return found[0], found[1]


def _evenly(start: float, end: float, count: int) -> tuple[float, ...]:
    """So many windows between two seconds of speech, from the one to the other."""
    return tuple(round(window, 3) for window in np.linspace(start, end - WINDOW_S, count).tolist())
