"""Is a voice known again: error rates by condition and by way of scoring, ours and the peers'.

In: vectors of all clips, and the peers' of those to enrol and to test. Out: a table of ways against conditions, and the
bars. Everything that is fitted is fitted on other speakers: means on clips kept for that, scales on half of the
speakers and used on trials within the other half.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench import report
from tests.bench.report import Bar
from tests.bench.voice import fit
from tests.bench.voice.rates import Rate, equal_error, rate
from tests.bench.voice.sounds import CONDITIONS
from tests.bench.voice.trials import Trials
from tests.bench.voice.vectors import Heard, Vectors, as_sent
from tests.bench.voice.verification import WAYS, Means, calibrated, raw, rows

Scores = NDArray[np.float32]

PRODUCT = "by channel"  # the way that the product goes, but for the scale
_COMPARED = 40  # clips whose vectors are compared with the reference's
_BOTH = {"clean": 1.0, "telephone": 2.0, "MP3 8 kHz": 2.0, "AMR-NB": 2.0}  # most that is allowed, in percent
_ACROSS = {"telephone": 1.5, "MP3 8 kHz": 3.0, "AMR-NB": 3.0}


@dataclass(frozen=True, slots=True)
class Verified:
    """Rates by way and by what was enrolled and tested, and what was compared with the reference.

    Attributes:
        rates: (way, enrolled, tested) -> rate.
        pooled: (way) -> percent over all pairs of conditions together, one threshold for all.
        cllr: bits lost by the scales, on speakers that they weren't fitted on; by shipped ones.
        reference: rates of the raw cosine, the reference's and ours on the same speech; least cosine of both's vectors.
    """

    rates: dict[tuple[str, str, str], Rate]
    pooled: dict[str, float]
    cllr: dict[str, float]
    reference: dict[str, float]

    def show(self) -> None:
        """Print the tables."""
        pairs = list(dict.fromkeys((enrolled, tested) for _, enrolled, tested in self.rates))
        ways = list(dict.fromkeys(way for way, _, _ in self.rates))
        heads = ["way", *(f"{a}\n{b}".title() for a, b in pairs), "All\ntogether"]
        cells = [
            [
                way,
                *(
                    str(self.rates[way, *pair]).replace(" ", "\n") if (way, *pair) in self.rates else "-"
                    for pair in pairs
                ),
                f"{self.pooled[way]:.2f}" if way in self.pooled else "-",
            ]
            for way in ways
        ]
        report.table(
            "Equal error rate, % (95 %, over speakers); above: enrolled 12-24 s, below: tested 6 s", heads, cells
        )
        report.say("Bits lost, C_llr: " + ", ".join(f"{name} {bits:.3f}" for name, bits in self.cllr.items()))
        report.say("CAM++ against the reference: " + ", ".join(f"{name} {n:.6g}" for name, n in self.reference.items()))

    def bars(self) -> list[Bar]:
        """Against their targets."""
        found = [self._bar(one, one, most) for one, most in _BOTH.items()]
        found += [self._bar("clean", one, most) for one, most in _ACROSS.items()]
        reference = self.reference
        return [
            *found,
            *(
                Bar(f"EER of Resemblyzer / ours, {one} (0 taken for 0.01 %)", self._ratio(one), 3.0, "times")
                for one in ("clean", "telephone")
            ),
            Bar("EER of CAM++ less the reference's, clean", reference.get("difference"), 0.05, "%", "at most"),
            Bar("least cosine with the reference's vector", reference.get("cosine"), 0.9999, ""),
        ]

    def _ratio(self, condition: str) -> float | None:
        theirs = self.rates.get(("Resemblyzer", condition, condition))
        return theirs.percent / max(self.rates[PRODUCT, condition, condition].percent, 0.01) if theirs else None

    def _bar(self, enrolled: str, tested: str, most: float) -> Bar:
        what = f"{enrolled}, both sides" if enrolled == tested else f"enrolled {enrolled}, tested {tested}"
        return Bar(f"EER {what}", self.rates[PRODUCT, enrolled, tested].percent, most, "%", "at most")

    def told(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "rates": [
                {"way": way, "enrolled": a, "tested": b, "percent": one.percent, "low": one.low, "high": one.high}
                for (way, a, b), one in self.rates.items()
            ],
            "pooled": self.pooled,
            "cllr": self.cllr,
            "reference": self.reference,
        }


def verified(some: Trials, heard: Mapping[str, Heard], peers: Mapping[str, Mapping[str, Vectors]]) -> Verified:
    """Score all trials in all ways."""
    first, second = len(some.enrolled), len(some.tested)
    enrolled = {name: one[slice(0, first)] for name, one in heard.items()}
    tested = {name: one[slice(first, first + second)] for name, one in heard.items()}
    means = Means.of(
        {name: one[slice(first + second, first + second + len(some.fitted))] for name, one in heard.items()}
    )
    pairs = [*((one, one) for one in CONDITIONS), *(("clean", one) for one in CONDITIONS if one != "clean")]
    truth = some.truth()
    rates: dict[tuple[str, str, str], Rate] = {}
    pooled: dict[str, float] = {}
    for way, scored in WAYS.items():
        found = {(a, b): scored(enrolled[a], tested[b], means) for a, b in pairs}
        rates |= {(way, *pair): rate(scores, truth, some.enrolled, some.tested) for pair, scores in found.items()}
        pooled[way] = equal_error(np.stack(list(found.values())), np.stack([truth] * len(found)))
    scaled = _scaled(some, {(a, b): WAYS[PRODUCT](enrolled[a], tested[b], means) for a, b in pairs}, enrolled, tested)
    pooled["scaled, cross-validated"] = scaled["eer"]
    for condition, found_vectors in peers.get("ge2e", {}).items():
        scores = rows(found_vectors[:first]) @ rows(found_vectors[first:]).T
        rates["Resemblyzer", condition, condition] = rate(scores, truth, some.enrolled, some.tested)
    bits = {"cross-validated": scaled["cllr"], "shipped scales": _shipped(some, heard, means)}
    return Verified(rates, pooled, bits, _reference(some, heard, peers, means))


def _shipped(some: Trials, heard: Mapping[str, Heard], means: Means) -> float:
    """C_llr of the shipped scales over clean trials and those tested by telephone."""
    first, second = len(some.enrolled), len(some.tested)
    enrolled, counts = heard["clean"][slice(0, first)], some.truth() >= 0
    ratios, same = [], []
    for condition in ("clean", "telephone"):
        tested = heard[condition][slice(first, first + second)]
        found = calibrated(enrolled, tested, WAYS[PRODUCT](enrolled, tested, means))
        ratios.append(found[counts].astype(np.float64))
        same.append(some.truth()[counts] == 1)
    return fit.cllr(np.concatenate(ratios), np.concatenate(same))


def _scaled(
    some: Trials,
    scores: Mapping[tuple[str, str], Scores],
    enrolled: Mapping[str, Heard],
    tested: Mapping[str, Heard],
) -> dict[str, float]:
    """One scale per band, fitted on the trials of half of the speakers, used on those of the other half."""
    half = {name: at % 2 for at, name in enumerate(sorted({clip.speaker for clip in some.enrolled}))}
    rows_of, columns_of = (np.array([half[clip.speaker] for clip in clips]) for clips in (some.enrolled, some.tested))
    ratios, same = [], []
    for side in (0, 1):
        there = (rows_of == 1 - side)[:, None] & (columns_of == 1 - side)[None, :]
        here = (rows_of == side)[:, None] & (columns_of == side)[None, :]
        for narrow in (False, True):
            fitting, trying = (
                _gathered(some, scores, enrolled, tested, (there, narrow)),
                _gathered(some, scores, enrolled, tested, (here, narrow)),
            )
            if fitting[1].any() and trying[1].any():
                scale = fit.scale(*fitting)
                ratios.append(np.array([scale.ratio(np.array([s]), t)[0] for s, _, t in zip(*trying, strict=True)]))
                same.append(trying[1])
    if not ratios:
        return {"eer": float("nan"), "cllr": float("nan")}
    every, flags = np.concatenate(ratios), np.concatenate(same)
    return {"eer": equal_error(every.astype(np.float32), flags.astype(np.int8)), "cllr": fit.cllr(every, flags)}


def _gathered(
    some: Trials,
    scores: Mapping[tuple[str, str], Scores],
    enrolled: Mapping[str, Heard],
    tested: Mapping[str, Heard],
    wanted: tuple[NDArray[np.bool_], bool],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Scores, truth and seconds of the trials in one band."""
    truth, (chosen, narrow) = some.truth(), wanted
    found: list[tuple[Any, Any, Any]] = []
    for (a, b), values in scores.items():
        band = enrolled[a].narrow_band[:, None] | tested[b].narrow_band[None, :]
        mask = chosen & (truth >= 0) & (band == narrow)
        seconds = np.broadcast_to(tested[b].speech_s[None, :], truth.shape)
        found.append((values[mask], truth[mask] == 1, seconds[mask]))
    values, same, seconds = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return np.asarray(values, np.float64), same, seconds


def _reference(
    some: Trials, heard: Mapping[str, Heard], peers: Mapping[str, Mapping[str, Vectors]], means: Means
) -> dict[str, float]:
    if "reference" not in peers:
        return {}
    first, second = len(some.enrolled), len(some.tested)
    theirs, clean = peers["reference"]["clean"], heard["clean"]
    ours = raw(clean[slice(0, first)], clean[slice(first, first + second)], means)
    reference = rows(theirs[:first]) @ rows(theirs[first:]).T
    truth = some.truth()
    found = {"ours": equal_error(ours, truth), "reference": equal_error(reference, truth)}
    cosines = (rows(theirs[:_COMPARED]) * rows(as_sent(some, most=_COMPARED))).sum(axis=1)
    return {**found, "difference": abs(found["ours"] - found["reference"]), "cosine": float(cosines.min())}
