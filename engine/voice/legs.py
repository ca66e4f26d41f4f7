"""The channels of a call: which of them is the speaker's, and how much of the others comes through on it.

In: one scan per channel. Out: the same scans with what leaked in taken for nobody's speech, and numbers to choose by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.voice.scan import Scan, spans_of
from engine.voice.speech import Span

_UNDER = 0.1  # of the other channel's power: who is 10 dB softer while the other speaks is its leakage
_AROUND = 2  # chunks (64 ms) by which an echo may come later
_SPEAKS = 0.5
_MIXED_DB = -6.0  # leakage both ways from which channels are one recording in stereo, not two parties
_QUIET_SHARE = 20  # percentile


@dataclass(frozen=True, slots=True)
class Leg:
    """One channel.

    Attributes:
        channel: its number, from 0; None for the mean of all.
        scan: of it, without speech where another channel's leaks in.
        leaked: where that is.
        leakage_db: how loud the loudest other channel is on this one, relative to its own level there; NaN where the
            others never speak.
    """

    channel: int | None
    scan: Scan
    leaked: NDArray[np.bool_]
    leakage_db: float

    @property
    def speech_s(self) -> float:
        """Seconds of speech."""
        return sum(span.duration_s for span in self.spans())

    def leaked_spans(self) -> tuple[Span, ...]:
        """Where another party is to be heard on it."""
        return spans_of(self.leaked, close_s=0.2, least_s=0.1)

    def spans(self) -> tuple[Span, ...]:
        """Where its own party speaks."""
        return self.scan.spans()


def single(scan: Scan, *, channel: int | None) -> Leg:
    """A channel that has no others, or whose others are not looked at."""
    return Leg(channel, scan, np.zeros(len(scan.chance), np.bool_), float("nan"))


def split(scans: Sequence[Scan]) -> tuple[Leg, ...]:
    """Tell the parties of a call apart, each on its channel; none where the channels hold the same sound.

    What is 10 dB under another channel while that one speaks is its leakage and no speech. The leakage is the 20th
    percentile, over the louder half of the chunks in which the other speaks, of the ratio of the powers: two parties
    seldom speak at once, so most of these chunks hold nothing but what leaks.
    """
    legs = tuple(_leg(number, scans) for number in range(len(scans)))
    if len(legs) > 1 and min(leg.leakage_db for leg in legs) > _MIXED_DB:  # NaN compares as not mixed
        return ()
    return legs


def _leg(number: int, scans: Sequence[Scan]) -> Leg:
    scan = scans[number]
    others = [other for k, other in enumerate(scans) if k != number]
    leaked = np.zeros(len(scan.chance), np.bool_)
    for other in others:
        speaks = other.chance > _SPEAKS
        loud = _around(np.where(speaks, other.power, 0).astype(np.float32))
        leaked |= (loud > 0) & (scan.power < _UNDER * loud)
    loudest = max((_leakage_db(scan, other) for other in others), default=float("nan"))
    quiet = replace(scan, chance=np.where(leaked, 0, scan.chance).astype(np.float32))
    return Leg(number, quiet, leaked & (scan.chance > _SPEAKS), loudest)


def _leakage_db(scan: Scan, other: Scan) -> float:
    speaks = other.chance > _SPEAKS
    if not speaks.any():
        return float("nan")
    speaks &= other.power >= np.median(other.power[speaks])
    ratio = np.maximum(scan.power[speaks], 1e-12) / np.maximum(other.power[speaks], 1e-12)
    return float(10 * np.log10(np.percentile(ratio, _QUIET_SHARE)))


def _around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest value within 64 ms."""
    padded = np.pad(values, _AROUND)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1)
    return np.asarray(windows.max(axis=1))
