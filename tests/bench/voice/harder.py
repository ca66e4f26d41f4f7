"""Clean trials that are harder than the first list's: short tests, short enrolments, strangers of like pitch.

At 12 to 24 s against 6 s our error rate is at the floor of what the trials can tell, so a ratio of two rates says
little. Made of the same clips, so of the same people and sides: tests are halves of 3 s, enrolments are cut to 6 s, and
strangers count only where their pitch is in the same half. The unknown voices of the open-set search are strangers here
too. Nothing was tuned on these lists; means are those of the people kept for fitting.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ
from tests.bench import report
from tests.bench.report import Bar
from tests.bench.voice import vectors
from tests.bench.voice.known_again import PRODUCT
from tests.bench.voice.rates import Rate, rate, ratio
from tests.bench.voice.trials import Clip, Trials
from tests.bench.voice.vectors import Heard, Vectors
from tests.bench.voice.verification import WAYS, Means, rows

DIGEST = "b6226afaa40cb1256b17be97c28d685fbd0c4682edb095cf505eca5032b51f9e"  # of the clips of the whole list
_TEST_S, _ENROL_S = 3.0, 6.0
_LOW_HZ, _HIGH_HZ = 70.0, 350.0  # of voices
_BETWEEN_HZ = 165.0  # men's voices are under it, women's over it, with few exceptions
_FRAME_S = 0.04
_VOICED = 0.6  # of the autocorrelation
_AIM = 3.0

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """One list: how long the enrolments are, whether only voices of like pitch are strangers, and what came out."""

    name: str
    targets: int
    strangers: int
    ours: Rate
    theirs: Rate | None
    times: Rate | None


@dataclass(frozen=True, slots=True)
class Harder:
    """What came out of all lists, and the hash over their clips."""

    digest: str
    rows: tuple[Row, ...]

    def show(self) -> None:
        """Print the table."""
        report.say(f"harder trials {self.digest[:16]}: " + ("as ever" if self.digest == DIGEST else "others"))
        cells = [
            (
                row.name,
                f"{row.targets:,}",
                f"{row.strangers:,}",
                str(row.ours),
                str(row.theirs or "-"),
                str(row.times or "-"),
            )
            for row in self.rows
        ]
        heads = ("clean", "Same", "Strangers", "Ours", "Resemblyzer", "Times")
        report.table("Equal error rate, % (95 %, over speakers), and Resemblyzer's over ours", heads, cells)

    def bars(self) -> list[Bar]:
        """How many times lower ours is."""
        return [
            Bar(f"EER of Resemblyzer / ours, {row.name}", row.times.percent if row.times else None, _AIM, "times")
            for row in self.rows
        ]

    def told(self) -> dict[str, Any]:
        """For the JSON."""
        return {"sha256": self.digest, "rows": [_told(row) for row in self.rows]}


def measured(some: Trials, heard: Mapping[str, Heard], python: str | None) -> Harder:
    """Score every list."""
    short = _short(some)
    first, second = len(some.enrolled), len(some.tested)
    means = Means.of(
        {name: one[slice(first + second, first + second + len(some.fitted))] for name, one in heard.items()}
    )
    clips = (*short.enrolled, *short.tested)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = vectors.joined(list(pool.map(vectors.clean, (clip.samples for clip in clips), chunksize=8)))
        pitches = dict(
            zip(names := _speakers(clips), pool.map(pitch, (_all_of(clips, name) for name in names)), strict=True)
        )
    whole, cut, tested = heard["clean"][slice(0, first)], found[slice(0, first)], found[slice(first, len(clips))]
    theirs = _theirs(some, short, python) if python else None
    truth = short.truth()
    alike = np.array([[_is_low(pitches, a) == _is_low(pitches, b) for b in short.tested] for a in short.enrolled])
    lists = (
        ("enrolled 12-24 s, tested 3 s", whole, 0, truth),
        ("enrolled 6 s, tested 3 s", cut, 1, truth),
        ("enrolled 6 s, tested 3 s, one pitch", cut, 1, np.where((truth == 0) & ~alike, -1, truth).astype(np.int8)),
    )
    made = []
    for name, enrolled, number, which in lists:
        ours = WAYS[PRODUCT](enrolled, tested, means)
        other = theirs[number] if theirs else None
        sides = short.enrolled, short.tested
        made.append(
            Row(
                name,
                int((which == 1).sum()),
                int((which == 0).sum()),
                rate(ours, which, *sides),
                rate(other, which, *sides) if other is not None else None,
                ratio(other, ours, which, *sides) if other is not None else None,
            )
        )
    return Harder(short.digest(), tuple(made))


def _short(some: Trials) -> Trials:
    """Enrolments of 6 s, and both halves of each test, those of unknown voices too."""
    enrolled = [replace(clip, samples=clip.samples[: round(_ENROL_S * RATE_HZ)]) for clip in some.enrolled]
    half = round(_TEST_S * RATE_HZ)
    tested = [
        replace(clip, name=f"{clip.name}-{part}", samples=clip.samples[part * half : (part + 1) * half])
        for clip in (*some.tested, *some.unknown)
        for part in (0, 1)
    ]
    return Trials(tuple(enrolled), tuple(tested), (), ())


def _theirs(some: Trials, short: Trials, python: str) -> tuple[Vectors, Vectors]:
    """Resemblyzer's scores with whole and with cut enrolments."""
    count = len(short.enrolled)
    found = vectors.peers(short, ("clean",), python=python, given=["ge2e"])["clean"]
    whole = vectors.peers(replace(some, tested=()), ("clean",), python=python, given=["ge2e"])["clean"]
    tested = rows(found[count:]).T
    return rows(whole) @ tested, rows(found[:count]) @ tested


def _speakers(clips: Sequence[Clip]) -> list[str]:
    return sorted({clip.speaker for clip in clips})


def _all_of(clips: Sequence[Clip], speaker: str) -> Samples:
    return np.concatenate([clip.samples for clip in clips if clip.speaker == speaker])


def _is_low(pitches: Mapping[str, float], clip: Clip) -> bool:
    return pitches[clip.speaker] < _BETWEEN_HZ


def pitch(samples: Samples) -> float:
    """Median fundamental frequency in Hz over voiced frames, by the peak of the autocorrelation."""
    size = round(_FRAME_S * RATE_HZ)
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float64)
    loud = frames[np.square(frames).mean(axis=1) > 0.3 * np.square(frames).mean()]
    spectrum = np.abs(np.fft.rfft(loud - loud.mean(axis=1, keepdims=True), 2 * size)) ** 2
    alike = np.fft.irfft(spectrum)[:, :size] / (1 - np.arange(size) / size)  # each lag over what overlaps
    lags = slice(round(RATE_HZ / _HIGH_HZ), round(RATE_HZ / _LOW_HZ))
    best = alike[:, lags].argmax(axis=1) + lags.start
    voiced = alike[np.arange(len(best)), best] > _VOICED * alike[:, 0]
    return float(np.median(RATE_HZ / best[voiced])) if voiced.any() else _BETWEEN_HZ


def _told(row: Row) -> dict[str, Any]:
    def spread(one: Rate | None) -> dict[str, float] | None:
        return {"value": one.percent, "low": one.low, "high": one.high} if one else None

    return {
        "name": row.name,
        "same": row.targets,
        "strangers": row.strangers,
        "ours": spread(row.ours),
        "resemblyzer": spread(row.theirs),
        "times": spread(row.times),
    }
