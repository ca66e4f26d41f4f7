"""Decoding in a child: the same as in process, and nothing that a recording does to it reaches anybody else."""

import os
import signal
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.voice.apart import DecoderError, Decoders
from engine.voice.failure import VoiceFailure
from engine.voice.recording import Recording, cut, decode
from tests.support.decoders import children, strike
from tests.support.encoding import encoded
from tests.support.speech import said, wav
from tests.support.waiting import until

_HOURS_3 = 3 * 3600


@pytest.fixture(autouse=True)
def _alone() -> None:
    """End decoders that an engine of other tests has left idle; it starts new ones when it needs them."""
    strike(signal.SIGKILL)
    while children():
        pass


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    with Decoders() as some:
        yield some


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.wav"
    path.write_bytes(wav(said("1998", seconds=10)))
    return path


def sparse(path: Path, *, seconds: int) -> Path:
    """So much silence at 48 kHz, and none of it on the disk."""
    size = seconds * 48000 * 2
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16) + b"data" + struct.pack("<I", size))
        file.truncate(size + 44)
    return path


@pytest.mark.parametrize("kind", ["mp3", "opus", "wav 24 bit"])
def test_a_child_decodes_and_cuts_as_the_library_does(decoders: Decoders, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(encoded(kind, said("1998", seconds=6)))
    here, there = decode(path, limit_s=4), decoders.decode(path, limit_s=4)
    np.testing.assert_array_equal(there.samples, here.samples)
    assert (there.native_rate_hz, there.channels, there.duration_s, there.truncated) == (
        here.native_rate_hz,
        here.channels,
        here.duration_s,
        here.truncated,
    )
    assert decoders.cut(path, start_s=1.25, end_s=4.5) == cut(path, start_s=1.25, end_s=4.5)
    assert len(children()) == 1


def test_a_refusal_comes_over_whole_and_the_child_goes_on(decoders: Decoders, good: Path, tmp_path: Path) -> None:
    with pytest.raises(VoiceFailure) as missing:
        decoders.decode(good, channel=5)
    assert (missing.value.code, missing.value.value, missing.value.limit) == ("channel_missing", 5.0, 0.0)
    with pytest.raises(FileNotFoundError):
        decoders.decode(tmp_path / "none.wav")
    (child,) = children()
    assert decoders.decode(good).duration_s == 10
    assert children() == [child]


def test_a_recording_without_an_end_is_given_up(good: Path, tmp_path: Path) -> None:
    os.mkfifo(endless := tmp_path / "endless.wav")
    with Decoders(longest_s=1.0) as decoders:
        with pytest.raises(VoiceFailure, match="still not decoded after 1 s") as given_up:
            decoders.decode(endless)
        assert (given_up.value.code, given_up.value.limit) == ("corrupt", 1.0)
        with pytest.raises(VoiceFailure, match=r"still not decoded after 0\.2 s"):
            decoders.decode(endless, longest_s=0.2)
        assert decoders.decode(good).duration_s == 10


def test_a_recording_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    with Decoders(most_bytes=1 << 30) as decoders, pytest.raises(VoiceFailure) as refused:
        decoders.cut(sparse(tmp_path / "long.wav", seconds=_HOURS_3), start_s=0, end_s=_HOURS_3)
    assert refused.value.code == "corrupt"


def struck(work: Future[Recording]) -> bool:
    """Whether the work is over; the children are killed until it is, as by a fault in a codec."""
    strike(signal.SIGSEGV)
    return work.done()


async def test_a_child_that_dies_takes_no_neighbour_along(good: Path, tmp_path: Path) -> None:
    os.mkfifo(deadly := tmp_path / "deadly.wav")
    with Decoders() as decoders, ThreadPoolExecutor(1) as threads:
        dying = threads.submit(decoders.decode, deadly)
        await until(lambda: bool(children()))
        assert decoders.decode(good).duration_s == 10
        await until(lambda: struck(dying))  # twice: the first death might have had another reason
        with pytest.raises(VoiceFailure, match="SIGSEGV") as died:
            dying.result()
        assert died.value.code == "corrupt"
        assert decoders.decode(good).duration_s == 10


def test_a_child_that_somebody_kills_is_replaced(decoders: Decoders, good: Path) -> None:
    decoders.decode(good)
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    assert decoders.decode(good).duration_s == 10


def test_a_child_that_cannot_start_says_nothing_of_the_recording(good: Path) -> None:
    with Decoders(most_bytes=1 << 70) as decoders, pytest.raises(DecoderError, match="exit code"):  # no such limit
        decoders.decode(good)


def test_a_childs_memory_does_not_grow_with_the_recording(decoders: Decoders, tmp_path: Path) -> None:
    def peak_kb() -> int:
        (child,) = children()
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    path = sparse(tmp_path / "long.wav", seconds=_HOURS_3)
    decoders.decode(path, limit_s=30)
    before_kb = peak_kb()
    assert decoders.decode(path, limit_s=900).duration_s == 900
    assert peak_kb() < before_kb + 20_000


def test_the_end_leaves_no_child_behind(good: Path) -> None:
    with Decoders() as decoders:
        threads = [threading.Thread(target=decoders.decode, args=(good,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 1 <= len(children()) <= 3
    assert children() == []
