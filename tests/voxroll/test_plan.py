"""`voxroll plan`: who is ready and who is not, which calls that takes, and a manifest that `run` takes."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.speech import said, speakers, wav
from tests.support.up import voxroll
from voxroll.failure import Exit
from voxroll.planning import Person, Planning
from worker.contract.manifest import read
from worker.contract.rows import Row


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    one, other = list(speakers())[:2]
    (folder / "long.wav").write_bytes(wav(said(one, seconds=20)))
    (folder / "more.wav").write_bytes(wav(said(one, seconds=8, skip=5)))
    (folder / "short.wav").write_bytes(wav(said(other, seconds=8)))
    (folder / "none.wav").write_bytes(b"no audio")
    return folder


def test_everybody_has_an_outlook_and_the_plan_can_be_run(archive: Path, tmp_path: Path) -> None:
    manifest = archive / "roster.csv"
    rows = [
        *("anna,long.wav,", "anna,more.wav,", "ben,short.wav,", "clara,none.wav,", "dora,long.wav,no"),
        *("edgar,https://x.example/a.wav,", ",long.wav,", "f f,long.wav,"),
    ]
    manifest.write_text("id,file,consent\n" + "\n".join(rows) + "\n")
    variables = {"VOXROLL_API_CALLS": "10"}
    arguments = (str(manifest), "--into", str(tmp_path), "--price", "0.5", "--json")
    done = voxroll("plan", *arguments, data_dir=tmp_path / "data", **variables)
    assert done.returncode == Exit.INCOMPLETE, done.stderr
    told = json.loads(done.stdout)
    assert told["speakers"] == {"ready": 1, "short": 1, "unseen": 1, "unreadable": 1, "blocked": 1}
    assert told["codes"] == {"bad_row": 2, "not_audio": 1, "no_consent": 1}
    assert (told["rows"], told["calls"]) == (8, {"create": 3, "fewest": 3, "most": 4})
    assert told["price"] == {"fewest": 1.5, "most": 2.0}
    assert told["hours"]["most"] == pytest.approx(4 / 10 / 60, abs=0.005)
    kept = [row for row in read(tmp_path / "plan.jsonl") if isinstance(row, Row)]
    assert [(row.speaker_id, row.source) for row in kept] == [
        ("anna", str(archive / "long.wav")),
        ("anna", str(archive / "more.wav")),
        ("ben", str(archive / "short.wav")),
        ("edgar", "https://x.example/a.wav"),
    ]
    first = json.loads((tmp_path / "plan.jsonl").read_text().splitlines()[0])
    assert first["sample"]["endS"] > first["sample"]["startS"]
    page = (tmp_path / "plan.html").read_text()
    for word in ("ben", "short", "clara", "not_audio", "dora", "no_consent", "3 to 4"):
        assert word in page, word
    assert "<script" not in page
    text = voxroll("plan", *arguments[:-1], data_dir=tmp_path / "data", **variables).stdout
    assert "5 people in 8 rows: 1 ready" in text


def test_some_are_looked_at_for_an_estimate(archive: Path, tmp_path: Path) -> None:
    manifest = archive / "many.csv"
    manifest.write_text("id,file\n" + "".join(f"s{number},long.wav\n" for number in range(20)))
    done = voxroll("plan", str(manifest), "--into", str(tmp_path), "--sample", "1", "--json", data_dir=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["speakers"]["ready"], told["scale"]) == (Exit.OK, 1, 20.0)
    assert told["calls"] == {"create": 20, "fewest": 20, "most": 20}
    assert not (tmp_path / "plan.jsonl").exists()


@pytest.mark.parametrize("text", ["", "id,file\n"])
def test_nobody_is_nothing_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.csv").write_text(text)
    done = voxroll("plan", str(tmp_path / "empty.csv"), "--into", str(tmp_path), data_dir=tmp_path)
    assert done.returncode == Exit.NOTHING, done.stderr


def test_calls_are_counted_to_the_goal_and_no_further() -> None:
    person = Person(speech_s=[3.0, 9.0, 5.0, 7.0], unseen=3)
    assert (person.fewest(5), person.most(5), person.short_by_s(5)) == (2, 5, 0.0)
    short = Person(speech_s=[3.0])
    assert (short.fewest(5), short.most(5), short.short_by_s(5)) == (1, 1, 9.0)
    told = Planning(5, persons={"a": person, "b": short}).document(calls=0, window=timedelta(0), price=0, scale=2)
    assert (told["calls"], told["hours"]["most"]) == ({"create": 4, "fewest": 6, "most": 12}, None)
