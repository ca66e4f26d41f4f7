"""Who speaks when: diarization error rate on calls and meetings beside its peers, people counted, voices known, CPU.

`python -m tests.bench.voice.diarization`, or QUICK=1 for a few calls without peers. In: nothing. Out: tables, and
build/bench/diarization.json. Exit 0 whether or not the bars hold. The calls are laid out by `calls`, 42 different pairs
of 17 talkers; `meetings` are AMI's excerpts out of the source package of pyannote.audio, where pip can fetch it. With
SENKO=1 senko is measured too, whose environment takes gigabytes.
"""

import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.report import Bar
from tests.bench.voice import meetings
from tests.bench.voice.listening import MEETING, ONE, OURS, TWO, Outcome, given, ours, peers, tasks
from tests.bench.voice.systems import PEERS, SENKO, interpreters
from tests.support import corpus
from tests.support.der import Errors

_REPORT = Path("build/bench/diarization.json")
_MOST = 12.0  # percent


def measure(*, quick: bool) -> tuple[list[Bar], list[Outcome]]:
    """Run everything and print the tables."""
    every = tasks(quick=quick)
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        outcomes += pool.map(ours, every)
        if not quick:
            waiting = [
                pool.submit(peers, system, path, given(system, every)) for system, path in interpreters().items()
            ]
            outcomes += [one for done in waiting for one in done.result()]
    show(outcomes)
    return bars(outcomes, quick=quick), outcomes


def show(outcomes: Sequence[Outcome]) -> None:
    """Print error rates by kind and system, people counted, voices known, CPU."""
    rows = []
    kinds = list(dict.fromkeys((one.kind, one.style) for one in outcomes))
    for kind, style in kinds:
        for system, some in _by_system(one for one in outcomes if (one.kind, one.style) == (kind, style)).items():
            rows.append((f"{kind}, {style}", system, *_cells(some)))
    columns = (
        "recording",
        "system",
        "N",
        "DER %",
        "MISSED",
        "FALSE",
        "CONFUSED",
        "ALONE %",
        "COUNT RIGHT",
        "CPU-S/MIN",
    )
    report.table("diarization error rate, collar 0.25 s, overlap counted; ALONE: where one speaks", columns, rows)
    same = _same(outcomes)
    for system in dict.fromkeys(one.system for one in outcomes):
        if system != OURS:
            theirs, own = (f"{_rate(some):.1f} % ({_rate(some, alone=True):.1f} % alone)" for some in same(system))
            report.say(f"  on the same {len(same(system)[0])} recordings: {system} {theirs}, ours {own}")
    named = [one for one in outcomes if one.named is not None]
    for kind in dict.fromkeys(one.kind for one in named):
        shares = [one.named for one in named if one.kind == kind and one.named is not None]
        report.say(
            f"  {kind}: {statistics.mean(shares):.1%} of {2 * len(shares)} speakers under the right id or number"
        )


def bars(outcomes: Sequence[Outcome], *, quick: bool) -> list[Bar]:
    """What the engine promises."""
    mine = [one for one in outcomes if one.system == OURS]
    found = []
    for kind in (*ONE, TWO):
        here = [one for one in mine if one.kind == kind]
        found.append(Bar(f"diarization error rate, {kind}", _rate(here), _MOST, "%", "at most"))
    same = _same(outcomes)
    for system in PEERS:
        theirs, own = same(system)
        for kind in ("calls", MEETING):
            pairs = [(a, b) for a, b in zip(theirs, own, strict=True) if (a.kind == MEETING) == (kind == MEETING)]
            less = _rate([b for _, b in pairs]) - _rate([a for a, _ in pairs]) if pairs else None
            if pairs or (not quick and system != SENKO):
                found.append(Bar(f"error rate, {kind}, ours less {system}", less, 0.0, "%", "at most"))
    calls = [one for one in mine if one.kind in ONE]
    counted = [one.people[0] == one.people[1] for one in calls]
    found.append(Bar("people counted right, one channel", statistics.mean(counted), 0.95, "share"))
    named = [one.named for one in mine if one.named is not None]
    found.append(Bar("speakers under the right id or number", statistics.mean(named), 0.95, "share"))
    return found


def _by_system(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        found[one.system].append(one)
    return found


def _cells(some: Sequence[Outcome]) -> list[str]:
    total = sum((one.errors for one in some), start=Errors())
    shares = [100 * part / total.truth_s for part in (total.missed_s, total.false_s, total.confused_s)]
    right = sum(one.people[0] == one.people[1] for one in some)
    cost = 60 * sum(one.cpu_s for one in some) / sum(one.seconds for one in some)
    rates = [f"{_rate(some):.1f}", *(f"{share:.1f}" for share in shares), f"{_rate(some, alone=True):.1f}"]
    return [str(len(some)), *rates, f"{right} of {len(some)}", f"{cost:.2f}"]


def _rate(some: Sequence[Outcome], *, alone: bool = False) -> float:
    """Percent, over all seconds of all recordings."""
    return 100 * sum((one.alone if alone else one.errors for one in some), start=Errors()).rate


def _same(outcomes: Sequence[Outcome]) -> Callable[[str], tuple[list[Outcome], list[Outcome]]]:
    """A peer's outcomes, and ours on the same recordings."""
    mine = {(one.kind, one.number): one for one in outcomes if one.system == OURS}

    def of(system: str) -> tuple[list[Outcome], list[Outcome]]:
        theirs = [one for one in outcomes if one.system == system]
        return theirs, [mine[one.kind, one.number] for one in theirs]

    return of


def main() -> None:
    """Run the bench."""
    quick = bool(os.environ.get("QUICK"))
    corpus.talkers()  # before the children do
    if not quick:
        meetings.meetings()
    measured, outcomes = measure(quick=quick)
    report.bars("the bars" + (" (quick run: too few calls to mean much)" if quick else ""), measured)
    report.write(
        _REPORT,
        measured,
        quick=quick,
        versions=report.versions("av", "numpy", "onnxruntime"),
        runs=[_told(one) for one in outcomes],
    )


def _told(one: Outcome) -> dict[str, Any]:
    return {
        "system": one.system,
        "kind": one.kind,
        "style": one.style,
        "number": one.number,
        "der": round(one.errors.rate, 4),
        "der_alone": round(one.alone.rate, 4),
        "people": one.people,
        "named": one.named,
        "cpu_s": round(one.cpu_s, 2),
        "seconds": round(one.seconds, 1),
    }


if __name__ == "__main__":
    main()
