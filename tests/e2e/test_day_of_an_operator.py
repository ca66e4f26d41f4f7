"""The day of a bulk operator: a roster and an archive, a plan by day, a run by night, a report in the morning."""

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.days import Day
from tests.support.review import Command
from tests.support.speech import speakers
from tests.support.up import Up
from voxroll.failure import Exit


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    speakers()  # skips where there is no speech
    with Up(tmp_path / "data") as up:
        yield Day(up, tmp_path)


@pytest.mark.timeout(300)
def test_from_a_roster_to_a_report(day: Day) -> None:
    day.recording("ann-1.wav", 0, seconds=20)
    day.recording("bob-1.wav", 1, seconds=9)
    day.recording("bob-2.wav", 1, seconds=9, skip=5)
    day.recording("cay-1.wav", 2, seconds=8)
    day.recording("eve-1.wav", 3, seconds=20)
    (day.folder / "fay-1.wav").write_bytes(b"")
    roster = day.folder / "roster.csv"
    rows = ["ann,ann-1.wav,yes", "bob,bob-1.wav,yes", "bob,bob-2.wav,yes", "cay,cay-1.wav,yes", "dan,dan-1.wav,yes"]
    rows += ["eve,eve-1.wav,no", "fay,fay-1.wav,yes", "guy guy,ann-1.wav,yes"]
    roster.write_text("\n".join(["Enrollment ID,file,consent", *rows]) + "\n")

    # 1. the plan spends nothing and says who is ready, who is not and why, and what it would cost
    planned = day.told("plan", str(roster), "--price", "0.01", "--into", str(day.folder), ends=Exit.INCOMPLETE)
    found = {state: number for state, number in planned["speakers"].items() if number}
    assert found == {"ready": 2, "short": 1, "unreadable": 2, "blocked": 1}
    assert planned["price"]["fewest"] == pytest.approx(0.01 * planned["calls"]["fewest"])
    assert day.told("status")["speakers"] == []

    # 2. the page to look at is there; plan.jsonl is a manifest of those who can be enrolled
    page = (day.folder / "plan.html").read_text()
    for word in ("cay", "short", "fay", "empty", "dan", "eve", "no_consent"):
        assert word in page, word
    plan = day.folder / "plan.jsonl"
    assert [json.loads(line)["speakerId"] for line in plan.read_text().splitlines()] == ["ann", "bob", "bob", "cay"]

    reviewed_and_run(day, plan)

    # 5. the roster brings in what the plan left out
    done = day.told("run", str(roster), ends=Exit.INCOMPLETE)
    assert done["state"] == "completed_with_errors"

    # 6. in the morning: a row for each person, and a file of what can succeed
    text = day.does("batches", "report", done["batchId"], "--csv")
    report = {row["speakerId"]: row for row in csv.DictReader(text.splitlines()) if row["speakerId"]}
    assert {name: report[name]["state"] for name in ("ann", "bob", "cay", "fay")} == {
        "ann": "complete",
        "bob": "complete",
        "cay": "incomplete",
        "fay": "failed",
    }
    assert ("no_consent" in report["eve"]["reasons"], "not_found" in report["dan"]["reasons"]) == (True, True)
    rerun = day.folder / "rerun.jsonl"
    rerun.write_text(day.does("batches", "report", done["batchId"], "--rerun"))
    assert [json.loads(line)["speakerId"] for line in rerun.read_text().splitlines()] == ["dan"]
    day.recording("dan-1.wav", 3, seconds=20)  # the archive is found
    again = day.told("run", str(rerun), ends=Exit.OK)
    assert again["speakers"]["complete"] == 1
    assert day.does("audit").startswith("clean")

    # 7. half a year later everything goes elsewhere; somebody opts out, with a receipt, and stays out
    known = {json.loads(line)["speakerId"] for line in day.does("export").splitlines()}
    assert known == {"ann", "bob", "cay", "dan", "fay"}
    receipt = day.folder / "receipt.json"
    day.does("erase", "ann", "--yes", "--receipt", str(receipt))
    written = json.loads(receipt.read_text())
    assert (written["speakerId"], written["state"], written["event"]["type"]) == ("ann", "erased", "speaker.erased")
    assert written["askedAt"] < written["confirmedAt"]
    roster.write_text("id,file\nann,ann-1.wav\n")
    blocked = day.told("run", str(roster), "--name", "afterwards", ends=Exit.NOTHING)
    assert (blocked["rows"]["blocked"], blocked["calls"]) == (1, 0)
    assert day.does("roster").split() == ["bob", "dan"]


def reviewed_and_run(day: Day, plan: Path) -> None:
    # 3. whom the plan doubts is listened to, on a page, and rejected
    review = Command(plan, day.up.data_dir)
    assert review.told["doubtful"] == 1
    review.decide("reject", "cay")
    assert review.ends(signal.SIGTERM)[0] == Exit.OK

    # 4. the run heeds it, ends with the night, and the same command goes on in the next; then there is nothing to do
    first = day.told("run", str(plan), "--budget", "1", "--until", "23h", ends=Exit.LIMIT)
    assert (first["state"], first["calls"]) == ("paused", 1)
    done = day.told("run", str(plan))
    assert (done["batchId"], done["state"], done["rows"]["skipped"]) == (first["batchId"], "completed", 1)
    assert done["speakers"]["complete"] == sum(done["speakers"].values()) == 2
    day.told("run", str(plan), ends=Exit.NOTHING)
