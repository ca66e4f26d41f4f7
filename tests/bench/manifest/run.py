"""`make bench-manifest`: rows a second that one core reads and checks, and the most memory that it holds meanwhile.

In: nothing, or QUICK=1 for fewer rows; RUNS=n for other than 3 repeats. Out: a table, and build/bench/manifest.json.
Each repeat is a fresh process that reads a manifest to its end; time is its CPU time, memory its peak in /proc. Exit 0
whether or not the bars hold.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import report
from tests.bench.report import Bar, Spread
from worker.contract import manifest
from worker.contract.rows import Row

_REPORT = Path("build/bench/manifest.json")
_ROWS, _QUICK_ROWS = 1_000_000, 50_000
_ROWS_A_SECOND, _PEAK_MB = 20_000.0, 150.0
_SOURCE = "archive/2026/{:02d}/call-{:07d}.wav"
_URI = "https://media.example.com/restapi/v1.0/account/~/recording/{}/content"


def csv_lines(rows: int) -> Iterator[str]:
    yield "speakerId,source,channel,consent,ref\n"
    for number in range(rows):
        yield f"agent_{number // 4},{_SOURCE.format(number % 28, number)},{number % 2},yes,r{number}\n"


def json_lines(rows: int) -> Iterator[str]:
    for number in range(rows):
        source = _SOURCE.format(number % 28, number)
        row = {"speakerId": f"agent_{number // 4}", "source": source, "channel": number % 2, "ref": f"r{number}"}
        yield json.dumps(row) + "\n"


def call_log(rows: int) -> Iterator[str]:
    for number in range(rows):
        call = {
            "uri": f"https://platform.example.com/call-log/{number}",
            "id": f"c{number}",
            "sessionId": str(number),
            "startTime": "2026-11-20T09:30:00.000Z",
            "duration": 133,
            "type": "Voice",
            "direction": "Inbound",
            "from": {"phoneNumber": "+15550100", "name": "Caller", "location": "Springfield"},
            "to": {"phoneNumber": "+15550199", "extensionId": str(number // 4), "name": "Agent"},
            "recording": {"id": str(number), "type": "Automatic", "contentUri": _URI.format(number)},
        }
        yield ('{"records": [' if number == 0 else ",") + json.dumps(call)
    yield "]}"


_KINDS = {"calls.csv": csv_lines, "calls.jsonl": json_lines, "calls.json": call_log}


def read(path: Path) -> dict[str, float]:
    """Read a manifest in this process: rows, CPU seconds, peak MB."""
    began = time.process_time()
    rows = sum(isinstance(row, Row) for row in manifest.read(path))
    seconds = time.process_time() - began
    lines = Path("/proc/self/status").read_text().splitlines()
    peak_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return {"rows": rows, "seconds": seconds, "peak_mb": peak_kb / 1024}


def main() -> None:
    rows = _QUICK_ROWS if os.environ.get("QUICK") else _ROWS
    repeats = int(os.environ.get("RUNS", "1" if os.environ.get("QUICK") else "3"))
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in _KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in _KINDS.items():
            with (Path(folder) / name).open("w") as file:
                file.writelines(lines(rows))
        for _ in range(repeats):
            for name in _KINDS:
                command = [sys.executable, "-m", "tests.bench.manifest.run", str(Path(folder) / name)]
                told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                runs[name].append(json.loads(told))
    speeds = {name: Spread.of([one["rows"] / one["seconds"] for one in each]) for name, each in runs.items()}
    peaks = {name: Spread.of([one["peak_mb"] for one in each]) for name, each in runs.items()}
    columns = ("manifest", "Rows", "Rows/s of one core", "Peak MB")
    report.table(
        "Reading and checking a manifest",
        columns,
        ((name, f"{rows:,}", str(speeds[name]), str(peaks[name])) for name in _KINDS),
    )
    measured = [
        bar
        for name in ("calls.csv", "calls.jsonl")
        for bar in (
            Bar(f"{name}: rows a second", speeds[name].median, _ROWS_A_SECOND, "rows/s"),
            Bar(f"{name}: peak memory", peaks[name].median, _PEAK_MB, "MB", "at most"),
        )
    ]
    report.bars("Bars", measured)
    report.write(_REPORT, measured, versions=report.versions("ijson"), runs=runs, rows=rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(read(Path(sys.argv[1]))))
    else:
        main()
