"""Bad recordings get a clear answer: a stable code, the measured value, the limit, the way out; neighbours go on."""

import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from config.settings import Settings
from tests.support.line import Line, line
from tests.support.speech import said, wav
from worker.enrollment.record import RecordingId, SpeakerId
from worker.prepare import prepare

WHO = SpeakerId("anna")


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Line]:
    async with line(settings) as one:
        yield one


def resampled(seconds: float, *, rate_hz: int) -> bytes:
    """Speech at another rate, by straight interpolation: good enough to be found as speech."""
    samples = said("1688", seconds=seconds)
    at = np.linspace(0, len(samples) - 1, round(seconds * rate_hz))
    return wav(np.interp(at, np.arange(len(samples)), samples).astype(np.float32), rate_hz=rate_hz)


def three_hours() -> bytes:
    """Three hours at 8 kHz and 8 bit: one minute of speech, again and again."""
    minute = said("1688", seconds=60)[::2]
    data = ((np.clip(minute, -1, 1) * 127) + 128).astype(np.uint8).tobytes()
    size = len(data) * 180
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0"
    rate = (8000).to_bytes(4, "little")
    return head + rate + rate + b"\x01\0\x08\0data" + size.to_bytes(4, "little") + data * 180


def mp3_cut_short() -> bytes:
    return b"ID3\x04\0\0\0\0\0\0" + bytes(np.random.default_rng(7).integers(0, 256, 4000, dtype=np.uint8))


REFUSED: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "0 bytes": (lambda: b"", {"empty"}),
    "a text": (lambda: b"This is no sound at all. " * 200, {"not_audio", "corrupt"}),
    "a broken MP3": (mp3_cut_short, {"not_audio", "corrupt"}),
    "a header without samples": (lambda: wav(np.zeros(0, np.float32)), {"empty", "corrupt", "too_short", "not_audio"}),
    "silence": (lambda: wav(np.zeros(20 * 16000, np.float32)), {"silent"}),
    "5.9 s": (lambda: wav(said("1688", seconds=5.9)), {"too_short"}),
    "6 kHz": (lambda: resampled(15, rate_hz=6000), {"rate_too_low"}),
}

TAKEN: dict[str, Callable[[], bytes]] = {
    "6.0 s": lambda: wav(said("1688", seconds=6.0)),
    "30.0 s": lambda: wav(said("1688", seconds=30.0)),
    "96 kHz": lambda: resampled(15, rate_hz=96000),
    "5 channels": lambda: wav([said("1688", seconds=15)] * 5),
    "3 hours": three_hours,
}


async def outcome(here: Line, tmp_path: Path, content: bytes) -> dict[str, object]:
    path = tmp_path / "recording"
    path.write_bytes(content)
    document = await here.hand_in(WHO, path)
    await prepare(here.shop, WHO, RecordingId(document["samples"][0]["recordingId"]), job_try=1)
    sample: dict[str, object] = (await here.document(WHO))["samples"][0]
    return sample


@pytest.mark.parametrize("what", REFUSED)
async def test_a_recording_that_will_not_do_is_refused_with_reason(here: Line, tmp_path: Path, what: str) -> None:
    content, codes = REFUSED[what]
    sample = await outcome(here, tmp_path, content())
    assert sample["state"] == "rejected"
    assert sample["code"] in codes
    assert len(str(sample["message"])) > 20


@pytest.mark.parametrize("what", TAKEN)
async def test_a_recording_within_the_bounds_is_taken(here: Line, tmp_path: Path, what: str) -> None:
    sample = await outcome(here, tmp_path, TAKEN[what]())
    assert (sample["state"], sample["code"]) == ("ready", None), sample["message"]


async def test_a_window_is_cut_sample_exact_at_the_native_rate(here: Line, tmp_path: Path) -> None:
    """What is sent is what was recorded: the very samples, the very rate."""
    source = resampled(40, rate_hz=44100)
    sample = await outcome(here, tmp_path, source)
    record = await here.record(WHO)
    clip = record.samples[0].clip
    assert clip is not None
    stored = await here.shop.objects.get(clip.object_key)
    (tmp_path / "clip.wav").write_bytes(stored or b"")
    with wave.open(str(tmp_path / "recording")) as whole, wave.open(str(tmp_path / "clip.wav")) as cut:
        assert cut.getframerate() == 44100
        whole.setpos(round(clip.recipe.start_s * 44100))
        assert cut.readframes(cut.getnframes()) == whole.readframes(cut.getnframes())
        assert cut.getnframes() == round(clip.recipe.end_s * 44100) - round(clip.recipe.start_s * 44100)
    assert sample["state"] == "ready"


async def test_two_people_in_one_recording_are_found(here: Line, tmp_path: Path) -> None:
    turns = [said(voice, seconds=4, skip=skip) for skip in (0, 2, 4) for voice in ("1688", "1998")]
    sample = await outcome(here, tmp_path, wav(np.concatenate(turns)))
    assert (sample["state"], sample["code"]) == ("rejected", "several_voices")
