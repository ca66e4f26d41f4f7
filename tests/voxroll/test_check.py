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

from tests.support.speech import said, speakers, wav
from tests.support.up import voxroll
from voxroll.failure import Exit

_SECONDS = 16.0


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


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one, other = list(speakers())[:2]
    folder = tmp_path_factory.mktemp("calls")
    for name in ("april", ".trash"):
        (folder / name).mkdir()
    (folder / "april" / "good.wav").write_bytes(wav(said(one, seconds=_SECONDS)))
    (folder / "broken.mp3").write_bytes(b"ID3" + bytes(500))
    (folder / "same.flac").write_bytes(flac(wav(said(one, seconds=_SECONDS))))
    (folder / "short.wav").write_bytes(wav(said(other, seconds=4)))
    for name in ("silent.wav", "silent-too.wav"):
        (folder / name).write_bytes(wav(np.zeros(16000 * 20, np.float32)))
    (folder / "text.wav").write_bytes(b"no audio at all")
    (folder / "two.wav").write_bytes(wav([said(one, seconds=7, skip=2), said(other, seconds=7, skip=2)]))
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
        "broken.mp3": "corrupt",
        "same.flac": "duplicate_recording",
        "short.wav": "too_short",
        "silent.wav": "silent",
        "silent-too.wav": "silent",
        "text.wav": "not_audio",
        "two.wav": "several_voices",
    }
    assert (found["usable"], found["refused"]) == (1, 7)
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


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_name_that_is_no_utf8_is_no_obstacle(flags: list[str], tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"no audio")
    done = voxroll("check", str(tmp_path), *flags, data_dir=tmp_path / "data")
    assert (done.returncode, "caf\ufffd.wav" in done.stdout) == (Exit.INCOMPLETE, True), done.stderr
