"""`voxroll check` on a folder as people have them: real speech, the same call twice, broken and foreign files."""

import io
import json
import os
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.speech import Samples, said, speakers, wav
from tests.support.up import voxroll
from voxroll.failure import Exit

_SECONDS = 16.0
_PARTS = (1, 20, 40), (1, "0:40", ""), (1, 30, 50), (0, 60, 90)  # of a call of 64 s: channel, start, end


def flac(of_wav: bytes) -> bytes:
    """The very samples of a WAV file in another container."""
    with wave.open(io.BytesIO(of_wav)) as whole:
        samples = np.frombuffer(whole.readframes(whole.getnframes()), np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16000, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def in_turns(one: Samples, other: Samples) -> list[Samples]:
    """A call of two channels: the second party speaks when the first has ended."""
    return [np.pad(one, (0, len(other))), np.pad(other, (len(one), 0))]


def both_at_once(one: str, other: str) -> Samples:
    """Two who speak on one channel at the same time."""
    return np.asarray((said(one, seconds=14, skip=2) + said(other, seconds=14, skip=2)) / 2, np.float32)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one, other = list(speakers())[:2]
    folder = tmp_path_factory.mktemp("calls")
    for name in ("april", ".trash"):
        (folder / name).mkdir()
    (folder / "april" / "good.wav").write_bytes(wav(said(one, seconds=_SECONDS)))
    (folder / "broken.mp3").write_bytes(b"ID3" + bytes(500))
    parties = [said(one, seconds=20, skip=3), said(other, seconds=44, skip=3)]
    (folder / "call.wav").write_bytes(wav(in_turns(*parties)))
    (folder / "same.flac").write_bytes(flac(wav(said(one, seconds=_SECONDS))))
    (folder / "short.wav").write_bytes(wav(said(other, seconds=4)))
    for name in ("silent.wav", "silent-too.wav"):
        (folder / name).write_bytes(wav(np.zeros(16000 * 20, np.float32)))
    (folder / "text.wav").write_bytes(b"no audio at all")
    (folder / "two.wav").write_bytes(wav(both_at_once(one, other)))
    for left_out in ("notes.txt", ".hidden.wav", ".trash/old.wav"):
        (folder / left_out).write_bytes(b"left out")
    return folder


def checked(*arguments: object, data_dir: Path) -> tuple[int, dict[str, dict[str, Any]], dict[str, Any]]:
    done = voxroll("check", *map(str, arguments), "--json", data_dir=data_dir)
    found = json.loads(done.stdout)
    return done.returncode, {Path(one["file"]).name: one for one in found["files"]}, found


def test_each_recording_of_a_folder_has_its_verdict(calls: Path, tmp_path: Path) -> None:
    code, files, found = checked(calls, data_dir=tmp_path)
    assert code == Exit.INCOMPLETE
    assert {name: one.get("code", "usable") for name, one in files.items()} == {
        "good.wav": "usable",
        "call.wav": "usable",
        "broken.mp3": "corrupt",
        "same.flac": "duplicate_recording",
        "short.wav": "too_short",
        "silent.wav": "silent",
        "silent-too.wav": "silent",
        "text.wav": "not_audio",
        "two.wav": "several_voices",
    }
    assert (found["usable"], found["refused"]) == (2, 7)
    good = files["good.wav"]
    assert 12 <= good["endS"] - good["startS"] <= _SECONDS
    assert good["measures"]["speechS"] > 8
    assert files["same.flac"]["audioSha256"] == good["audioSha256"]
    assert (files["short.wav"]["value"], files["short.wav"]["limit"]) == (pytest.approx(4.0, abs=0.01), 6.0)


def test_all_usable_ends_with_0_and_the_table_says_from_where_to_where(calls: Path, tmp_path: Path) -> None:
    done = voxroll("check", str(calls / "april" / "good.wav"), data_dir=tmp_path, COLUMNS="200")
    assert done.returncode == Exit.OK, done.stderr
    for words in ("good.wav", "usable", "00:0", "1 usable", "times real time"):
        assert words in done.stdout, words


def test_of_a_call_with_two_channels_the_one_with_most_speech_is_taken_and_named(calls: Path, tmp_path: Path) -> None:
    _, files, _ = checked("--windows", 2, calls / "call.wav", data_dir=tmp_path)
    call = files["call.wav"]
    assert (call["channels"], call["channel"], call["people"]) == (2, 1, 1)
    assert [leg["channel"] for leg in call["legs"]] == [0, 1]
    assert call["legs"][1]["speechS"] > call["legs"][0]["speechS"] > 10
    assert all(leg["leakageDb"] < -40 for leg in call["legs"])
    best, *_ = call["windows"]
    assert (best["startS"], best["endS"], best["measures"]) == (call["startS"], call["endS"], call["measures"])
    assert best["channel"] == 1
    assert 19 < best["startS"] < best["endS"] < 65
    assert len(call["windows"]) == 2
    assert all(19 < span["startS"] < span["endS"] < 65 for span in call["speech"])
    done = voxroll("check", str(calls / "call.wav"), "--channel", "0", data_dir=tmp_path, COLUMNS="80")
    assert "channel 0 as asked" in " ".join(done.stdout.split())


def test_the_other_channel_can_be_asked_for(calls: Path, tmp_path: Path) -> None:
    _, files, _ = checked("--channel", 0, calls / "call.wav", data_dir=tmp_path)
    assert (files["call.wav"]["channel"], files["call.wav"]["endS"] < 21) == (0, True)


def test_advice_names_what_stays_below_the_best(calls: Path, tmp_path: Path) -> None:
    with wave.open(str(calls / "april" / "good.wav")) as whole:
        nine_s = np.frombuffer(whole.readframes(16000 * 9), np.int16)
    (tmp_path / "nine.wav").write_bytes(wav(np.asarray(nine_s / np.float32(32768), np.float32)))
    code, files, _ = checked(tmp_path / "nine.wav", data_dir=tmp_path / "data")
    assert (code, files["nine.wav"]["advice"]) == (Exit.OK, ["short"])


def test_a_recording_in_stereo_is_the_same_as_its_original(calls: Path, tmp_path: Path) -> None:
    original = said(next(iter(speakers())), seconds=_SECONDS)
    (tmp_path / "stereo.wav").write_bytes(wav([original, original]))
    _, files, _ = checked(calls / "april" / "good.wav", tmp_path / "stereo.wav", data_dir=tmp_path / "data")
    assert files["stereo.wav"]["code"] == "duplicate_recording"
    assert files["stereo.wav"]["windows"] == []


def test_a_manifest_names_recordings_and_its_bad_rows_are_named(calls: Path, tmp_path: Path) -> None:
    manifest = calls / "calls.csv"
    manifest.write_text(
        "Recording;Channel;enrollment_id\n"
        "april/good.wav;;anna\n"
        "call.wav;0;ben\n"
        "same.flac;;carla\n"
        "call.wav;left;ben\n"
        "https://example.com/call.wav;;dora\n"
        "none.wav;;emil\n"
    )
    done = voxroll("check", str(manifest), "--json", data_dir=tmp_path)
    found = {one["line"]: one for one in json.loads(done.stdout)["files"]}
    assert {line: one.get("code", "usable") for line, one in found.items()} == {
        2: "usable",
        3: "usable",
        4: "duplicate_recording",
        5: "bad_row",
        6: "unreadable_source",
        7: "not_found",
    }
    assert (done.returncode, found[3]["channel"], found[3]["speakerId"]) == (Exit.INCOMPLETE, 0, "ben")
    assert "said to be anna, not carla" in found[4]["message"]
    assert found[5]["message"].startswith("line 5, channel: 'left' is no channel")
    assert "download it" in found[6]["message"]
    table = voxroll("check", str(manifest), data_dir=tmp_path, COLUMNS="80")
    assert "calls.csv:5" in table.stdout


def test_stretches_of_one_call_are_judged_apart_and_what_they_share_counts_once(calls: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "parts.csv"
    lines = [f"{calls / 'call.wav'},{channel},{start},{end}" for channel, start, end in _PARTS]
    manifest.write_text("file,channel,start,end\n" + "\n".join(lines) + "\n")
    page = tmp_path / "page.html"
    done = voxroll("check", str(manifest), "--html", str(page), "--json", data_dir=tmp_path)
    first, second, shared, beyond = json.loads(done.stdout)["files"]
    assert [one["usable"] for one in (first, second)] == [True, True]
    assert (first["stretch"], first["durationS"]) == ({"startS": 20.0, "endS": 40.0}, 20.0)
    assert 20 <= first["startS"] < first["endS"] <= 40 <= second["startS"]
    assert (shared["code"], beyond["code"]) == ("duplicate_recording", "stretch_missing")
    assert "shares sound with a stretch of" in shared["message"]
    assert 'data-begin="20.000" data-length="20.000"' in page.read_text()
    assert "call.wav 00:20 to 00:40" in page.read_text()


def test_a_page_is_written_beside_the_table(calls: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = voxroll("check", str(calls), "--html", str(page), data_dir=tmp_path)
    assert (done.returncode, str(page) in done.stderr) == (Exit.INCOMPLETE, True)
    text = page.read_text()
    assert text.count("<article") == 9
    assert text.count("<audio") == 7
    assert "data:" not in text
    assert len(text) < 60_000


@pytest.mark.parametrize("name", [".", "call.wav", "none/page.html", "x" * 300 + ".html"])
def test_a_page_takes_the_place_of_nothing_else(name: str, calls: Path, tmp_path: Path) -> None:
    done = voxroll("check", str(calls), "--html", str(calls / name), "--json", data_dir=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (Exit.USAGE, "bad_usage")
    assert (calls / "call.wav").read_bytes().startswith(b"RIFF")


def test_a_channel_that_is_not_there_and_a_file_that_is_not_there(calls: Path, tmp_path: Path) -> None:
    good = calls / "april" / "good.wav"
    _, files, _ = checked("--channel", 1, good, calls / "none.wav", data_dir=tmp_path)
    assert {name: one["code"] for name, one in files.items()} == {
        "good.wav": "channel_missing",
        "none.wav": "not_found",
    }


def test_nothing_to_check_ends_with_9(tmp_path: Path) -> None:
    done = voxroll("check", str(tmp_path), "--json", data_dir=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (Exit.NOTHING, "no_files")


def test_an_empty_manifest_is_nothing_to_check(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("\n")
    done = voxroll("check", str(tmp_path / "none.jsonl"), "--json", data_dir=tmp_path)
    assert done.returncode == Exit.NOTHING


def test_a_name_steers_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2Jcall.wav").write_bytes(b"no audio")
    done = voxroll("check", str(tmp_path), data_dir=tmp_path / "data")
    assert ("\x1b" in done.stdout, "[2Jcall.wav" in done.stdout) == (False, True)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_name_that_is_no_utf8_is_no_obstacle(flags: list[str], tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"no audio")
    done = voxroll("check", str(tmp_path), *flags, data_dir=tmp_path / "data")
    assert (done.returncode, "caf\ufffd.wav" in done.stdout) == (Exit.INCOMPLETE, True), done.stderr
