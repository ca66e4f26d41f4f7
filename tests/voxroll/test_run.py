"""`voxroll run` and `voxroll batches`, as a bulk operator uses them, against a running line."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.speech import said, speakers, wav
from tests.support.up import Up, environment, on_terminal, voxroll
from voxroll.commands.duration import deadline
from voxroll.commands.pace import Pace
from voxroll.commands.run import Done, exit_code
from voxroll.documents import Batch
from voxroll.failure import CommandError, Exit


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    speakers()  # skips where there is no speech
    with Up(tmp_path_factory.mktemp("run") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with enough speech and one without, of two people each."""
    folder = tmp_path_factory.mktemp("archive")
    for number, name in enumerate(list(speakers())[:3]):
        (folder / f"long-{number}.wav").write_bytes(wav(said(name, seconds=20)))
        (folder / f"short-{number}.wav").write_bytes(wav(said(name, seconds=4)))
    return folder


def run(up: Up, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = voxroll("run", *arguments, "--json", data_dir=up.data_dir)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_manifest_is_run_once_and_a_changed_one_adds_what_is_new(up: Up, archive: Path) -> None:
    manifest = archive / "roster.csv"
    manifest.write_text("id,file\nrun_a,long-0.wav\n")
    code, first = run(up, str(manifest), "--goal", "Poor")
    assert (code, first["state"], first["rows"]["taken"], first["calls"]) == (Exit.OK, "completed", 1, 1)
    code, again = run(up, str(manifest), "--goal", "Poor")
    assert (code, again["batchId"]) == (Exit.NOTHING, first["batchId"])
    manifest.write_text("id,file,consent\nrun_a,long-0.wav,\nrun_b,long-1.wav,\nrun_c,long-2.wav,no\n")
    code, changed = run(up, str(manifest), "--goal", "Poor")
    assert (code, changed["calls"], changed["rows"]["taken"], changed["rows"]["blocked"]) == (Exit.OK, 1, 2, 1)


def test_what_will_not_do_is_told_and_worth_another_run_only_where_it_may_succeed(up: Up, archive: Path) -> None:
    manifest = archive / "mixed.jsonl"
    rows = [{"id": "mixed_a", "recordings": ["short-0.wav", "gone.wav"]}, {"id": "mixed b", "file": "long-0.wav"}]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = voxroll("run", str(manifest), data_dir=up.data_dir, COLUMNS="200")
    assert done.returncode == Exit.INCOMPLETE, done.stderr
    for word in ("completed_with_errors", "1 failed", "too_short 1", "not_found 1", "bad_row 1", "1 taken, 2 bad"):
        assert word in done.stdout, word
    batch_id = done.stdout.split()[0]
    report = voxroll("batches", "report", batch_id, data_dir=up.data_dir).stdout.splitlines()
    assert [json.loads(line)["state"] for line in report] == ["failed", "bad", "bad"]
    shown = on_terminal("batches", "report", batch_id, data_dir=up.data_dir)
    for word in (
        "mixed_a",
        "short-0.wav: too_short",
        "not_found",
        "line 2",
        "bad_row",
        "0 complete, 3 rows and people",
    ):
        assert word in shown, shown
    again = voxroll("batches", "report", batch_id, "--rerun", data_dir=up.data_dir).stdout.splitlines()
    assert [json.loads(line)["source"] for line in again] == [str(archive / "gone.wav")]
    assert voxroll("batches", "report", batch_id, "--csv", data_dir=up.data_dir).stdout.startswith("speakerId,state,")
    listed = json.loads(voxroll("batches", "list", "--json", data_dir=up.data_dir).stdout)["batches"]
    assert listed[0]["batchId"] == batch_id
    assert batch_id in voxroll("batches", "show", batch_id, data_dir=up.data_dir, COLUMNS="200").stdout
    ended = voxroll("batches", "pause", batch_id, data_dir=up.data_dir)
    assert (ended.returncode, "batch_ended" in ended.stderr) == (Exit.FAILED, True)
    forgotten = voxroll("batches", "forget", batch_id, "--yes", "--json", data_dir=up.data_dir)
    assert json.loads(forgotten.stdout) == {"batchId": batch_id, "forgotten": True}
    gone = voxroll("batches", "show", batch_id, data_dir=up.data_dir)
    assert (gone.returncode, "batch_unknown" in gone.stderr) == (Exit.FAILED, True)


def test_where_no_retry_helps_the_code_says_so(up: Up, archive: Path) -> None:
    manifest = archive / "hopeless.csv"
    manifest.write_text("id,file\nhopeless,short-0.wav\n")
    code, done = run(up, str(manifest))
    assert (code, done["state"], done["reasons"]) == (Exit.FATAL, "completed_with_errors", {"too_short": 1})
    assert voxroll("batches", "report", done["batchId"], "--rerun", data_dir=up.data_dir).stdout == ""
    manifest.write_text("id,file,consent\nnobody,long-0.wav,no\n")
    code, done = run(up, str(manifest))
    assert (code, done["state"], done["rows"]["blocked"]) == (Exit.NOTHING, "completed", 1)


@pytest.mark.parametrize(
    ("state", "told", "code"),
    [
        ("completed", {}, Exit.OK),
        ("completed", {"taken": 0}, Exit.NOTHING),
        ("completed", {"is_new": False}, Exit.NOTHING),
        ("completed_with_errors", {"may_pass": True}, Exit.INCOMPLETE),
        ("completed_with_errors", {}, Exit.FATAL),
        ("completed_with_errors", {"is_new": False}, Exit.NOTHING),
        ("rolled_back", {"is_new": False}, Exit.NOTHING),
        ("cancelled", {}, Exit.FATAL),
        ("cancelled", {"is_new": False}, Exit.FATAL),
        ("expired", {}, Exit.LIMIT),
        ("paused", {"why": "budget: 1 of 1 calls are spent"}, Exit.LIMIT),
        ("paused", {"why": "by hand"}, Exit.INCOMPLETE),
        ("in_progress", {}, Exit.OK),
    ],
)
def test_the_exit_code_tells_how_it_ended(state: str, told: dict[str, Any], code: Exit) -> None:
    document = {
        "batchId": "bat_1",
        "state": state,
        "why": told.get("why"),
        "createdAt": "2026-11-21T08:00:00Z",
        "changedAt": "2026-11-21T08:00:00Z",
        "rows": {"total": 9, "read": 9, "taken": told.get("taken", 9)},
    }
    done = Done(Batch.model_validate(document), is_new=told.get("is_new", True), may_pass=told.get("may_pass", False))
    assert exit_code(done) is code


def test_a_budget_ends_a_run_and_the_same_command_goes_on(up: Up, archive: Path) -> None:
    manifest = archive / "budget.csv"
    manifest.write_text("id,file\nbudget_a,long-0.wav\nbudget_b,long-1.wav\n")
    command = (str(manifest), "--goal", "Poor", "--budget", "1")
    code, first = run(up, *command)
    assert (code, first["state"], first["rows"]["read"], first["calls"]) == (Exit.LIMIT, "paused", 1, 1)
    code, second = run(up, *command)
    assert (code, second["state"], second["rows"]["read"], second["calls"]) == (Exit.OK, "completed", 2, 2)


def test_who_is_replaced_is_enrolled_anew_and_a_rolled_back_batch_leaves_what_was_before(up: Up, archive: Path) -> None:
    """The new recording is another person's: it is not compared with what it replaces."""
    for number, name in enumerate(("before", "instead")):
        (archive / f"{name}.csv").write_text(f"id,file\nagain,long-{number}.wav\n")
    code, first = run(up, str(archive / "before.csv"), "--goal", "Poor")
    assert code == Exit.OK
    code, second = run(up, str(archive / "instead.csv"), "--goal", "Poor", "--on-existing", "replace")
    assert (code, second["calls"], second["rows"]["taken"]) == (Exit.OK, 1, 1)
    assert of(up, "again") == ("complete", {"long-0.wav": "withdrawn", "long-1.wav": "applied"})
    dry = voxroll("rollback", second["batchId"], "--dry-run", data_dir=up.data_dir, COLUMNS="200")
    assert "1 samples count no more; it takes 2 calls" in dry.stdout, dry.stderr
    assert of(up, "again")[1]["long-1.wav"] == "applied"
    told = json.loads(voxroll("rollback", second["batchId"], "--json", data_dir=up.data_dir).stdout)
    assert (told["state"], told["outlook"]["calls"]) == ("rolled_back", {"fewest": 2, "most": 2})
    assert of(up, "again") == ("complete", {"long-0.wav": "applied", "long-1.wav": "withdrawn"})
    out = voxroll("rollback", first["batchId"], data_dir=up.data_dir, COLUMNS="200")
    assert (out.returncode, "rolled_back: 1 withdrawn" in out.stdout) == (Exit.OK, True), out.stdout
    assert of(up, "again")[0] == "withdrawn"
    assert voxroll("rollback", first["batchId"], data_dir=up.data_dir).returncode == Exit.NOTHING
    assert voxroll("audit", data_dir=up.data_dir).returncode == Exit.OK


def of(up: Up, speaker_id: str) -> tuple[str, dict[str, str]]:
    """Where a speaker stands, and each of its samples."""
    found = json.loads(voxroll("status", speaker_id, "--json", data_dir=up.data_dir).stdout)
    speaker = found["speakers"][0] if "speakers" in found else found
    return speaker["state"], {one["source"]: one["state"] for one in speaker["samples"]}


ENDING = {"cancelling", "cancelled"}


def test_ctrl_c_leaves_the_batch_to_the_server(up: Up, archive: Path) -> None:
    text = "id,file\n" + "".join(f"ctrl_{number},long-{number % 3}.wav\n" for number in range(96))
    (archive / "ctrl.csv").write_text(text)
    command = [sys.executable, "-m", "voxroll", "run", str(archive / "ctrl.csv"), "--goal", "Poor"]
    process = subprocess.Popen(command, env=environment(up.data_dir), stderr=subprocess.PIPE, text=True)
    batch: dict[str, Any] = {}
    while not batch.get("name"):
        listed = json.loads(voxroll("batches", "list", "--json", data_dir=up.data_dir).stdout)["batches"]
        batch = next((one for one in listed if one["rows"]["total"] == 96), {})
    process.send_signal(signal.SIGINT)
    _, said_last = process.communicate(timeout=30)
    assert "the same command follows it again" in said_last
    assert "Traceback" not in said_last
    for what, states in (("pause", {"paused"}), ("resume", {"in_progress"}), ("pause", {"paused"}), ("cancel", ENDING)):
        told = json.loads(voxroll("batches", what, batch["batchId"], "--json", data_dir=up.data_dir).stdout)
        assert told.get("state") in states, told
    assert run(up, str(archive / "ctrl.csv"), "--goal", "Poor")[0] == Exit.FATAL


def test_a_folder_is_planned_and_the_plan_is_run(up: Up, archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    for name, number in (("ready", 0), ("short", 1)):
        shutil.copy(archive / f"{'long' if number == 0 else 'short'}-{number}.wav", folder / f"{name}-1.wav")
    planned = voxroll("plan", str(folder), "--into", str(tmp_path), "--json", data_dir=up.data_dir)
    told = json.loads(planned.stdout)
    assert (planned.returncode, told["speakers"]["ready"], told["codes"]) == (Exit.INCOMPLETE, 1, {"too_short": 1})
    code, done = run(up, str(tmp_path / "plan.jsonl"), "--goal", "Poor")
    assert (code, done["rows"]["taken"], done["speakers"]["complete"]) == (Exit.OK, 1, 1)
    roster = voxroll("roster", "--batch", done["batchId"], data_dir=up.data_dir)
    assert roster.stdout == "ready\n"


def test_a_manifest_may_come_from_standard_input(up: Up, archive: Path) -> None:
    command = [sys.executable, "-m", "voxroll", "run", "-", "--json", "--goal", "Poor"]
    row = json.dumps({"id": "stdin_a", "file": "long-1.wav"})
    done = subprocess.run(
        command,
        env=environment(up.data_dir) | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
        input=row,
        cwd=archive,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["manifest"]["kind"]) == (Exit.OK, "jsonl"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("/nowhere.csv",), "file_not_found"),
        (("-", "--on-existing", "forget"), "bad_usage"),
        (("-", "--goal", "Great"), "bad_usage"),
        (("-", "--until", "soon"), "bad_time"),
    ],
)
def test_what_can_not_be_run_is_told(tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    done = voxroll("run", *arguments, data_dir=tmp_path)
    assert (done.returncode, code in done.stderr) == (Exit.USAGE, True), done.stderr


def test_a_time_to_come_is_the_next_one_of_a_clock_or_so_long_from_now() -> None:
    now = datetime.now().astimezone()
    at = deadline(f"{now:%H:%M}")
    assert timedelta(hours=23) < at - now < timedelta(hours=25)
    assert timedelta(hours=7) < deadline("8h") - now < timedelta(hours=9)
    assert deadline("2030-01-01T06:00").year == 2030
    for text in ("25:00", "soon", "2030-13-01"):
        with pytest.raises(CommandError):
            deadline(text)


def test_the_line_says_how_fast_and_how_long() -> None:
    document = {
        "batchId": "bat_1",
        "state": "in_progress",
        "createdAt": "2026-11-21T08:00:00Z",
        "changedAt": "2026-11-21T08:00:00Z",
        "rows": {"total": 1000, "read": 100, "taken": 90, "bad": 10},
        "speakers": {"planned": 25, "complete": 65, "failed": 10},
        "calls": 30,
    }
    line = Pace(None, allowed=60)
    line.words(Batch.model_validate(document | {"rows": {"total": 1000}, "speakers": {}, "calls": 0}), now_s=0.0)
    words = line.words(Batch.model_validate(document), now_s=60.0)
    for word in (
        "100 of 1,000 rows",
        "65 complete",
        "10 not",
        "25 under way",
        "75 rows/min",
        "30 of 60 calls/min",
        "12 min",
    ):
        assert word in words, words
