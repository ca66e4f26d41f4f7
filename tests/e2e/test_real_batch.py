"""A batch of real people, killed half-way and run again by the same command: report, rerun file and audit agree.

The command line, the worker and the front door are killed by SIGKILL at different times. Beside the
readers and announcers some of the 251 people of whom LibriSpeech has one utterance; `REAL_SPEAKERS=251` takes them all
(and `REAL_PATIENCE_S=7200` gives them the time).
"""

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.voice.codes import CODES
from engine.voice.samples import RATE_HZ
from tests.support import corpus
from tests.support.corpus import Talker
from tests.support.speech import load, speakers, wav
from tests.support.up import Up, environment, voxroll
from tests.support.waiting import until
from voxroll.failure import Exit

_SEVERAL = "librispeech-train-clean-100"  # one utterance each
_FEW = 4
_TWICE = 2  # so many have two recordings
_UTTERANCES = 2  # of 5 to 12 s in one recording
_PAUSE_S = 0.2
_PATIENCE_S = float(os.environ.get("REAL_PATIENCE_S", "1800"))


def people() -> Iterator[tuple[str, list[bytes]]]:
    """Ids and recordings of everybody who can be had."""
    talkers: tuple[Talker, ...] = corpus.talkers()
    for number, talker in enumerate(talkers):
        half = len(talker.utterances) // 2
        begins = (0, half) if number < _TWICE else (0,)
        recordings = [talker.utterances[n : n + min(half, _UTTERANCES)] for n in begins]
        yield talker.name.replace("-", "_"), [wav(np.concatenate(one)) for one in recordings]
    if any(talker.name.startswith("reader") for talker in talkers):
        names = sorted(speakers(_SEVERAL))
        for name in names[: int(os.environ.get("REAL_SPEAKERS", _FEW))]:
            yield f"several_{name}", [wav(np.concatenate([load(path) for path in speakers(_SEVERAL)[name]]))]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A roster with everybody, and with what a roster has that will not do."""
    folder = tmp_path_factory.mktemp("archive")
    lines = ["speakerId,file,consent"]
    for name, recordings in people():
        for number, content in enumerate(recordings):
            (folder / f"{name}-{number}.wav").write_bytes(content)
            lines.append(f"{name},{name}-{number}.wav,yes")
    voice = corpus.talkers()[0]
    (folder / "short.wav").write_bytes(wav(voice.utterances[0][: 4 * RATE_HZ]))
    lines += ["too_short,short.wav,yes", "gone,gone.wav,yes", "unwilling,short.wav,no", "not an id,short.wav,yes"]
    (folder / "roster.csv").write_text("\n".join(lines) + "\n")
    return folder / "roster.csv"


def settled(up: Up) -> int:
    """How many people of the batch have nothing left to do; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"{up.note['url']}/v1/batches", timeout=5) as answer:
            listed = json.load(answer)["batches"]
    except (OSError, ValueError):
        return 0
    told: dict[str, int] = listed[0]["speakers"] if listed else {}
    return sum(number for state, number in told.items() if state not in {"planned", "enrolling"})


def wait(condition: Callable[[], bool]) -> None:
    asyncio.run(until(condition, within_s=_PATIENCE_S, pause_s=_PAUSE_S))


def begun(up: Up, manifest: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "voxroll", "run", str(manifest), "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment(up.data_dir), text=True, **pipes)  # type: ignore[call-overload,no-any-return]  # typed one by one


@pytest.mark.timeout(_PATIENCE_S)
def test_killed_half_way_and_run_again_nobody_is_lost_or_applied_twice(tmp_path: Path, manifest: Path) -> None:
    rows = list(csv.DictReader(manifest.read_text().splitlines()))
    wanted = {row["speakerId"] for row in rows} - {"gone", "unwilling", "not an id"}
    with Up(tmp_path / "data", VOXROLL_WORKER_LEASE="2s", VOXROLL_ENGINE_LEASE="2s", VOXROLL_WORKER_SWEEP="2s") as up:
        first = begun(up, manifest)
        wait(lambda: settled(up) >= 2)
        first.kill()
        first.communicate()
        again = begun(up, manifest)
        wait(lambda: settled(up) >= len(wanted) // 3)
        os.kill(up.children()["worker"], signal.SIGKILL)
        wait(lambda: settled(up) >= len(wanted) // 2)
        os.kill(up.children()["webhook"], signal.SIGKILL)
        told, complaints = again.communicate(timeout=_PATIENCE_S)
        assert again.returncode == Exit.INCOMPLETE, complaints
        done = json.loads(told)
        assert done["state"] == "completed_with_errors"
        assert voxroll("run", str(manifest), "--json", data_dir=up.data_dir).returncode == Exit.NOTHING
        _check_batch(done, rows, wanted)
        _check_files(up, done, wanted)


def _check_batch(done: dict[str, Any], rows: list[dict[str, str]], wanted: set[str]) -> None:
    fates = {"taken": len(rows) - 3, "bad": 2, "skipped": 0, "blocked": 1}
    assert done["rows"] == {"total": len(rows), "read": len(rows)} | fates
    assert sum(done["speakers"].values()) == len(wanted)
    assert (done["speakers"]["planned"], done["speakers"]["enrolling"]) == (0, 0)


def _check_files(up: Up, done: dict[str, Any], wanted: set[str]) -> None:
    """Report, rerun file and audit say the same, to the number."""
    report = [json.loads(line) for line in _file(up, done).splitlines()]
    persons = [row for row in report if row["line"] is None]
    assert {row["speakerId"] for row in persons} == wanted
    assert len(persons) == len(wanted)
    states = Counter(row["state"] for row in persons)
    assert states == {state: number for state, number in done["speakers"].items() if number}
    failed = [row for row in persons if row["state"] == "failed"]
    assert "too_short" in {row["speakerId"] for row in failed}
    assert all(reason["code"] in CODES for row in failed for reason in row["reasons"] or [{"code": None}])
    assert all(row["reasons"] for row in persons if row["state"] != "complete")
    others = {(row["state"], row["reasons"][0]["code"]) for row in report if row["line"] is not None}
    assert others == {("bad", "not_found"), ("bad", "bad_row"), ("blocked", "no_consent")}
    cells = list(csv.DictReader(io.StringIO(_file(up, done, "--csv"))))
    assert [(one["speakerId"], one["state"]) for one in cells] == [
        (row["speakerId"] or "", row["state"]) for row in report
    ]
    again = [json.loads(line)["speakerId"] for line in _file(up, done, "--rerun").splitlines()]
    assert again == ["gone"]
    audit = voxroll("audit", "--json", data_dir=up.data_dir)
    found = json.loads(audit.stdout)
    assert (audit.returncode, found["findings"]) == (Exit.OK, [])
    applied = sum(row["samples"] for row in persons)
    assert (found["speakers"], found["settled"], found["applied"]) == (len(wanted), len(wanted), applied)
    assert found["enrollments"] == sum(row["samples"] > 0 for row in persons)
    assert done["calls"] >= applied
    assert states["complete"] > len(wanted) / 2


def _file(up: Up, done: dict[str, Any], *options: str) -> str:
    told = voxroll("batches", "report", done["batchId"], *options, data_dir=up.data_dir)
    assert told.returncode == Exit.OK, told.stderr
    return told.stdout
