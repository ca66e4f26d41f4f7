"""The commands as a user types them, against a running line: what they say, and how they end."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import aiohttp
import pytest

from engine.service.tokens import GRANT
from tests.support.speech import said, speakers, wav
from tests.support.up import Up, voxroll
from voxroll.failure import Exit


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    speakers()  # skips where there is no speech
    with Up(tmp_path_factory.mktemp("commands") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def enrolled(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two speakers, enrolled: one has enough speech, the other a recording of four seconds."""
    one, other = list(speakers())[:2]
    folder = tmp_path_factory.mktemp("calls")
    (folder / "anna-1.wav").write_bytes(wav(said(one, seconds=18)))
    (folder / "anna-2.wav").write_bytes(b"no audio at all")
    (folder / "ben_1.wav").write_bytes(wav(said(other, seconds=4)))
    (folder / "b n-1.wav").write_bytes(wav(said(other, seconds=4)))
    done = voxroll("enroll", "--dir", str(folder), "--json", data_dir=up.data_dir)
    assert done.returncode == Exit.FAILED, done.stderr
    found = json.loads(done.stdout)
    assert {one["speakerId"]: one["enrollmentComplete"] for one in found["speakers"]} == {"anna": True, "ben": False}
    assert [(error["speakerId"], error["code"]) for error in found["errors"]] == [("b n", "speaker_id_invalid")]
    return folder


def test_a_speaker_that_does_not_become_complete_ends_with_5(up: Up, enrolled: Path) -> None:
    done = voxroll("enroll", "carl", str(enrolled / "ben_1.wav"), data_dir=up.data_dir)
    assert done.returncode == Exit.INCOMPLETE
    assert "too_short" in done.stdout


def test_a_missing_file_is_told_and_the_others_go_on(up: Up, enrolled: Path) -> None:
    done = voxroll("enroll", "dora", str(enrolled / "anna-1.wav"), "/nowhere.wav", data_dir=up.data_dir)
    assert done.returncode == Exit.FAILED
    assert "file_not_found" in done.stderr
    assert "/nowhere.wav" in done.stderr
    assert "complete" in done.stdout


def test_why_tells_the_whole_story(up: Up, enrolled: Path) -> None:
    told = voxroll("why", "anna", data_dir=up.data_dir, COLUMNS="200").stdout
    assert enrolled.is_dir()
    for word in ("anna-1.wav", "s of speech", "accepted as job", "by callback: applied", "anna-2.wav", "next"):
        assert word in told, word
    assert any(code in told for code in ("not_audio", "corrupt"))


def test_status_lists_them_and_a_stranger_is_told(up: Up, enrolled: Path) -> None:
    listed = json.loads(voxroll("status", "--json", data_dir=up.data_dir).stdout)["speakers"]
    assert enrolled.is_dir()
    assert {"anna", "ben"} <= {one["speakerId"] for one in listed}
    stranger = voxroll("status", "nobody", data_dir=up.data_dir)
    assert (stranger.returncode, "speaker_unknown" in stranger.stderr) == (Exit.FAILED, True)


def test_a_person_decides_of_a_strangers_recording(up: Up, tmp_path: Path) -> None:
    one, other = list(speakers())[:2]
    for name, samples in (("a.wav", said(one, seconds=9)), ("b.wav", said(other, seconds=8))):
        (tmp_path / name).write_bytes(wav(samples))
    for name in ("a.wav", "b.wav"):
        voxroll("enroll", "emil", str(tmp_path / name), data_dir=up.data_dir)
    told = voxroll("why", "emil", data_dir=up.data_dir, COLUMNS="200").stdout
    assert "held: a person decides" in told
    assert "different_voice: likeness 0." in told
    command = told.partition("`voxroll accept emil ")[2]
    recording = command.partition("`")[0]
    listed = voxroll("status", "emil", data_dir=up.data_dir, COLUMNS="200").stdout
    assert ("incomplete" in listed, "different_voice b.wav" in listed) == (True, True)
    rejected = voxroll("reject", "emil", recording, data_dir=up.data_dir)
    assert (rejected.returncode, "b.wav of emil is rejected" in rejected.stdout) == (Exit.OK, True)
    accepted = voxroll("accept", "emil", recording, "--json", data_dir=up.data_dir)
    assert {sample["state"] for sample in json.loads(accepted.stdout)["samples"]} <= {"applied", "ready", "submitting"}
    wrong = voxroll("accept", "emil", "nonsense", data_dir=up.data_dir)
    assert (wrong.returncode, "recording_unknown" in wrong.stderr) == (Exit.FAILED, True)


def test_doctor_finds_nothing_wrong_with_what_up_started(up: Up) -> None:
    looked = voxroll("doctor", "--json", data_dir=up.data_dir)
    checks = {one["name"]: one for one in json.loads(looked.stdout)}
    assert not [one for one in checks.values() if not one["ok"]]
    assert {"front_door", "model", "redis", "redis_durable", "api", "webhook_url", "clock"} <= set(checks)
    assert looked.returncode == Exit.OK


def test_settings_that_up_made_are_told_as_such(up: Up) -> None:
    found = json.loads(voxroll("config", "--json", data_dir=up.data_dir).stdout)["settings"]
    by_up = {one["variable"]: one["value"] for one in found if one["origin"] == "up"}
    assert by_up["VOXROLL_URL"] == up.note["url"]
    assert set(by_up["VOXROLL_API_JWT"]) == {"*"}


def test_credentials_open_the_engine_to_other_clients(up: Up, tmp_path: Path) -> None:
    told = json.loads(voxroll("credentials", "--json", data_dir=up.data_dir).stdout)
    assert told["RC_SERVER_URL"] == up.note["engine_url"]
    form = {"grant_type": GRANT, "assertion": told["RC_USER_JWT"]}
    basic = aiohttp.encode_basic_auth(told["RC_APP_CLIENT_ID"], told["RC_APP_CLIENT_SECRET"])
    request = Request(
        f"{told['RC_SERVER_URL']}/restapi/oauth/token", urlencode(form).encode(), {"Authorization": basic}
    )
    with urlopen(request, timeout=30) as answer:
        assert json.load(answer)["scope"] == "AI"
    lines = voxroll("credentials", data_dir=up.data_dir).stdout.splitlines()
    assert [line.partition("=")[0] for line in lines] == [f"export {name}" for name in told]
    refused = voxroll("credentials", data_dir=tmp_path)
    assert (refused.returncode, "voxroll up" in refused.stderr) == (Exit.UNAVAILABLE, True)


def test_without_a_front_door_the_way_out_is_told(tmp_path: Path) -> None:
    recording = tmp_path / "a.wav"
    recording.touch()
    for command in (("status",), ("why", "anna"), ("enroll", "anna", str(recording))):
        refused = voxroll(*command, data_dir=tmp_path, VOXROLL_URL="http://127.0.0.1:9")
        assert refused.returncode == Exit.UNAVAILABLE
        assert "http://127.0.0.1:9" in refused.stderr
        assert "voxroll up" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_status_narrows_down(up: Up, enrolled: Path) -> None:
    assert enrolled.is_dir()

    def shown(*options: str) -> set[str]:
        done = voxroll("status", *options, "--json", data_dir=up.data_dir)
        return {one["speakerId"] for one in json.loads(done.stdout)["speakers"]}

    assert "ben" in shown("--state", "incomplete") | shown("--state", "failed")
    assert "anna" not in shown("--unchanged-for", "1h")
    assert "anna" in shown("--changed-within", "1h", "--state", "complete")
    assert shown("--batch", "nobody") == set()
    assert voxroll("status", "--quality", "Best", data_dir=up.data_dir).returncode == Exit.USAGE


def test_a_batch_lists_its_speakers(up: Up, enrolled: Path) -> None:
    recording = str(enrolled / "anna-1.wav")
    voxroll("enroll", "emil", recording, "--batch", "night-1", "--no-wait", data_dir=up.data_dir)
    done = voxroll("status", "--batch", "night-1", "--json", data_dir=up.data_dir)
    assert [one["speakerId"] for one in json.loads(done.stdout)["speakers"]] == ["emil"]


def test_audit_finds_nothing_and_erase_leaves_nothing(up: Up, enrolled: Path) -> None:
    done = voxroll("audit", data_dir=up.data_dir)
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    assert "clean" in done.stdout
    assert voxroll("enroll", "fritz", str(enrolled / "anna-1.wav"), data_dir=up.data_dir).returncode == Exit.OK
    erased = voxroll("erase", "fritz", "--yes", data_dir=up.data_dir)
    assert erased.returncode == Exit.OK, erased.stderr
    assert "the id stays in raw callbacks until" in erased.stderr
    again = voxroll("enroll", "fritz", str(enrolled / "anna-1.wav"), data_dir=up.data_dir)
    assert again.returncode == Exit.FAILED
    assert "speaker_erased" in again.stderr
    report = json.loads(voxroll("audit", "--json", data_dir=up.data_dir).stdout)
    assert (report["clean"], report["findings"]) == (True, [])
