"""Decoding and cutting: every format alike, sample exact, and only `VoiceFailure` comes out of broken files."""

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from config.settings import load as load_settings
from engine.voice.failure import VoiceFailure
from engine.voice.recording import cut, decode
from engine.voice.samples import floats
from tests.support.encoding import FORMATS, encoded, gsm, gsm_wav
from tests.support.speech import said, wav

CODES = {"empty", "not_audio", "corrupt", "rate_too_low"}


def pcm(data: bytes) -> NDArray[np.int16]:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_sound(kind: str) -> None:
    original = said("1998", seconds=8)
    recording = decode(encoded(kind, original))
    assert recording.native_rate_hz == FORMATS[kind][2]
    assert recording.channels == {"mono": 1, "stereo": 2, "7.1": 8}[FORMATS[kind][3]]
    assert recording.duration_s == pytest.approx(8, abs=0.15)  # ADPCM fills its last block
    assert len(recording.samples) == round(recording.duration_s * 16000)
    assert not recording.truncated
    # codecs shift by up to some 40 ms: take the best alignment, on what passes through all of them
    span = 2**18
    found = floats(recording.samples)
    cross = np.fft.irfft(np.fft.rfft(found, span) * np.conj(np.fft.rfft(original, span)))
    size = np.linalg.norm(found) * np.linalg.norm(original)
    makes_anew = FORMATS[kind][1] == "libopencore_amrnb"  # rather than keeping the wave
    assert cross.max() / size > (0.75 if makes_anew else 0.9)


@pytest.mark.parametrize(("name", "data"), [("a.gsm", gsm(100)), ("A.G722", encoded("g722", said("1998", seconds=2)))])
def test_what_only_its_name_tells_is_known_by_it(name: str, data: bytes, tmp_path: Path) -> None:
    named, nameless = tmp_path / name, tmp_path / "prompt"
    for path in (named, nameless):
        path.write_bytes(data)
    assert decode(named).duration_s == pytest.approx(2, abs=0.01)
    with pytest.raises(VoiceFailure):
        decode(nameless)


def test_a_header_says_more_than_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.gsm"
    path.write_bytes(wav(said("1998", seconds=3)))
    assert decode(path).duration_s == 3


def test_gsm_in_wav_is_the_same_sound_as_raw_gsm(tmp_path: Path) -> None:
    prompts = sorted((load_settings().cache_dir / "voices").rglob("*.gsm"))[:20]  # where the demo has fetched some
    raw = tmp_path / "a.gsm"
    for data in (gsm(100), *(prompt.read_bytes() for prompt in prompts)):
        raw.write_bytes(data[: len(data) // 66 * 66])
        expected, found = decode(raw), decode(gsm_wav(data))
        assert (found.native_rate_hz, found.duration_s) == (8000, expected.duration_s)
        np.testing.assert_array_equal(found.samples, expected.samples)


def test_sixteen_bit_at_16_khz_comes_through_exactly() -> None:
    original = said("1998", seconds=3)
    expected = (original * 32767).astype(np.int16)
    np.testing.assert_array_equal(decode(wav(original)).samples, expected)


def test_floats_that_are_no_numbers_become_silence_or_full_scale() -> None:
    data = bytearray(encoded("wav float", np.full(16_000, 0.25, np.float32)))
    end = [len(data) + at for at in (-16, -12, -8, -4)]
    for at, value in zip(end, (np.nan, np.inf, -np.inf, 0.25), strict=True):
        struct.pack_into("<f", data, at, value)
    tail = decode(bytes(data)).samples[-5:]
    assert tail.tolist() == [8192, 0, 32767, -32768, 8192]


def test_channels_are_averaged_or_taken_by_number(tmp_path: Path) -> None:
    ramp = np.linspace(-0.5, 0.5, 16000, dtype=np.float32)
    five = wav([ramp * np.float32(k) for k in (0.2, 0.4, 0.6, 0.8, 1.0)])
    path = tmp_path / "five.wav"
    path.write_bytes(five)
    assert decode(path).channels == 5
    np.testing.assert_allclose(floats(decode(five).samples), ramp * 0.6, atol=1e-4)
    np.testing.assert_allclose(floats(decode(path, channel=4).samples), ramp, atol=1e-4)
    for channel in (5, -1):
        with pytest.raises(VoiceFailure, match="the recording has 5: 0 to 4") as caught:
            decode(five, channel=channel)
        assert caught.value.code == "channel_missing"


@settings(deadline=None, max_examples=60)
@given(
    rate=st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    start=st.floats(0, 1.9),
    length=st.floats(0.001, 3),
    channel=st.sampled_from([None, 0, 1]),
)
@example(rate=44100, start=0.0, length=2.0, channel=0)
def test_a_cut_is_sample_exact(rate: int, start: float, length: float, channel: int | None) -> None:
    noise = np.random.default_rng(rate).integers(-32768, 32767, (2 * rate, 2)).astype(np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(noise.tobytes())
    end = start + length
    expected = np.rint(noise.mean(axis=1)) if channel is None else noise[:, channel]
    found = cut(buffer.getvalue(), start_s=start, end_s=end, channel=channel)
    np.testing.assert_array_equal(pcm(found), expected[round(start * rate) : round(end * rate)].astype(np.int16))
    with wave.open(io.BytesIO(found)) as file:
        assert file.getframerate() == rate


@pytest.mark.parametrize("kind", ["mp3", "m4a", "webm", "wav 24 bit"])
def test_a_cut_of_a_lossy_recording_is_a_slice_of_the_whole(kind: str) -> None:
    data = encoded(kind, said("1998", seconds=6))
    rate = FORMATS[kind][2]
    whole = pcm(cut(data, start_s=0, end_s=60))
    part = cut(data, start_s=1.25, end_s=4.5)
    np.testing.assert_array_equal(pcm(part), whole[round(1.25 * rate) : round(4.5 * rate)])
    assert part == cut(data, start_s=1.25, end_s=4.5)


def test_a_cut_past_the_end_is_refused() -> None:
    data = wav(said("1998", seconds=2))
    with pytest.raises(VoiceFailure, match=r"ends at 2\.0 s, before the cut at 3\.0 s"):
        cut(data, start_s=3, end_s=4)
    with pytest.raises(ValueError, match="no stretch"):
        cut(data, start_s=2, end_s=2)


def test_decoding_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "three-hours.wav"
    size = 3 * 3600 * 48000 * 2  # one gigabyte, and none of it on the disk
    with path.open("wb") as file:
        file.write(
            b"RIFF"
            + struct.pack("<I", size + 36)
            + b"WAVEfmt "
            + struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16)
        )
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(size + 44)
    recording = decode(path, limit_s=20)
    assert recording.truncated
    assert recording.duration_s == 20
    assert len(recording.samples) == 20 * 16000
    exact = wav(said("1998", seconds=3))
    assert not decode(exact, limit_s=3).truncated
    assert decode(exact, limit_s=2.999).truncated


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (wav(np.zeros(0, np.float32)), "empty"),
        (b"Dear sir or madam, " * 400, "not_audio"),
        (bytes(5000), "not_audio"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0", "corrupt"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(400), "corrupt"),
        (wav(np.zeros(60000, np.float32), rate_hz=6000), "rate_too_low"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "not_audio"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "not_audio"),
    ],
)
def test_what_is_not_a_recording_is_named(data: bytes, code: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(VoiceFailure) as caught:
            decode(source)
        assert caught.value.code == code
        assert str(caught.value) == f"{code}: {caught.value.message}"


def test_a_picture_is_not_audio() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    with pytest.raises(VoiceFailure, match="not_audio: the file has no sound"):
        decode(buffer.getvalue())


def test_a_name_with_a_protocol_in_it_is_only_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "http:"
    folder.mkdir()
    (folder / "a.wav").write_bytes(wav(np.zeros(16000, np.float32)))
    assert decode(folder / "a.wav").duration_s == 1
    with pytest.raises(FileNotFoundError):
        decode(Path("concat:/etc/hostname"))


_TONE = np.asarray(np.sin(np.arange(24000) / 9) / 3, np.float32)
_SEEDS = {kind: encoded(kind, _TONE) for kind in FORMATS} | {
    "wav gsm": gsm_wav(gsm(75)),
    "a.gsm": gsm(75),
    "a.g722": encoded("g722", _TONE),
}
_SIZES = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\1\0\0\0", b"\0\0\0\1"]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(_SEEDS)),
    keep=st.floats(0, 1),
    flips=st.lists(
        st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=1) | st.sampled_from(_SIZES)), max_size=30
    ),
    reach=st.sampled_from([48, 200, 1 << 30]),
)
def test_broken_files_raise_only_voice_failures(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    keep: float,
    flips: list[tuple[float, bytes]],
    reach: int,
) -> None:
    """Bytes and sizes anywhere or in the header are wrong, the end is missing, in every format."""
    data = bytearray(_SEEDS[kind])
    for place, wrong in flips:
        at = int(place * min(reach, len(data) - len(wrong)))
        data[at : at + len(wrong)] = wrong
    broken = tmp_path_factory.getbasetemp() / f"broken-{kind}"
    broken.write_bytes(data[: int(keep * len(data))] if keep < 0.9 else data)
    try:
        recording = decode(broken, limit_s=10)
    except VoiceFailure as failure:
        assert failure.code in CODES  # noqa: PT017  both ends are fine
    else:
        assert len(recording.samples) <= 10 * 16000


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_a_part_is_what_lies_there_in_the_whole(kind: str) -> None:
    data = wav(said("1998", seconds=20)) if kind == "wav" else encoded(kind, said("1998", seconds=20))
    whole, part = decode(data), decode(data, start_s=5.0, end_s=12.5)
    assert (part.start_s, part.duration_s, part.truncated) == (5.0, 7.5, False)
    there = whole.samples[5 * 16000 : round(12.5 * 16000)]
    assert np.abs(part.samples[800:-800].astype(int) - there[800:-800]).max() <= 2  # the resampler begins anew
    assert decode(data, start_s=5.0, limit_s=4.0).truncated
    assert decode(data, start_s=5.0).duration_s == pytest.approx(15, abs=0.15)


@pytest.mark.parametrize(
    ("start_s", "end_s", "words"),
    [(20.0, None, "begins at 20.0 s"), (30.0, 40.0, "begins at 30.0 s"), (5.0, 22.0, "ends at 22.0 s")],
)
def test_a_part_that_is_not_there_is_refused(start_s: float, end_s: float | None, words: str) -> None:
    data = wav(said("1998", seconds=20))
    with pytest.raises(
        VoiceFailure, match=f"{words}, the recording ends at 20.0 s; name a stretch within it"
    ) as refused:
        decode(data, start_s=start_s, end_s=end_s)
    assert (refused.value.code, refused.value.limit) == ("stretch_missing", 20.0)
    assert decode(data, start_s=5.0, end_s=20.9).duration_s == 15  # who names whole seconds rounds up
