"""Opens a recording of any common format and gives its sound as blocks of one channel at the native rate.

In: bytes or a path. Out: float32 blocks in [-1, 1], sample after sample as the decoder gives them; time stamps are not
looked at, so the n-th sample is the n-th sample whoever reads. Integers are divided by their full scale and so come
back exactly; floats of lossy codecs are passed on as they are. PyAV's exceptions end here, as `VoiceFailure`.

A recording is foreign input. FFmpeg's playlist formats would open other files and URLs, hence the list of formats; the
file is opened here and not by FFmpeg, so that no name can mean a protocol.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from engine.voice.failure import VoiceFailure

_FORMATS = "mp3,mov,wav,w64,aiff,au,flac,ogg,matroska,webm,amr,aac,asf,caf,avi"
_HEADERLESS = {".g722": "g722", ".gsm": "gsm"}  # formats that only a file name tells, unless a header says otherwise
_RATE_MIN_HZ = 8000  # telephony; below it too little of a voice is left
_RATE_MAX_HZ = 768_000  # the highest of any studio format; more is a broken header
_CHANNELS_MAX = 64
_BAD_SHARE = 0.25  # of the packets; a few broken ones are heard as clicks, more make another recording
_HEADERS = (
    b"RIFF",
    b"RF64",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"#!AMR",
    b"FORM",
    b"caff",
    b".snd",
    b"\x1aE\xdf\xa3",
)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of sound: `samples` (n,) float32, one channel; `channels` is how many the recording has."""

    samples: NDArray[np.float32]
    rate_hz: int
    channels: int


def blocks(source: bytes | Path, *, channel: int | None) -> Iterator[Block]:
    """Decode a recording from its beginning; the caller stops when it has enough.

    Args:
        source: the file's bytes, or its path.
        channel: number of the one channel to take; None for the mean of all.

    Raises:
        VoiceFailure: empty, not_audio, corrupt, rate_too_low, channel_missing.
        OSError: the path can't be read.
    """
    with _opened(source) as container:
        if not container.streams.audio:
            raise VoiceFailure("not_audio", "the file has no sound in it; hand in a recording, or a film with sound")
        first: Block | None = None
        for frame in _frames(container):
            block = _block(frame, channel)
            if first is None:
                first = block
                _check(first)
            if block.rate_hz != first.rate_hz:
                raise VoiceFailure("corrupt", "the sampling rate changes half-way; convert the recording to WAV")
            yield block
        if first is None:
            raise VoiceFailure("empty", "0.0 s of sound in the file; hand in a recording with sound")


@contextmanager
def _opened(source: bytes | Path) -> Iterator[av.container.InputContainer]:
    name = source.suffix.lower() if isinstance(source, Path) else ""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if not head:
            raise VoiceFailure("empty", "0 bytes; hand in a recording with sound", value=0.0)
        kind = None if head.startswith(_HEADERS) else _HEADERLESS.get(name)
        options = {"format_whitelist": kind or _FORMATS}
        try:
            container = av.open(file, mode="r", format=kind, options=options, metadata_errors="ignore")
        except (av.FFmpegError, ValueError, LookupError) as error:
            raise _unopened(head) from error
        with container:
            yield container


def _unopened(head: bytes) -> VoiceFailure:
    """Tell a broken recording from something that never was one, by its first bytes."""
    if head.startswith((*_HEADERS, b"\xff\xfb")) or head[4:8] == b"ftyp":
        return VoiceFailure("corrupt", "the recording begins like one but can't be read; export or upload it again")
    return VoiceFailure("not_audio", "no known audio format; hand in WAV, MP3, M4A, FLAC, Ogg, WebM or the like")


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Decode packet by packet, stepping over a few broken ones."""
    packets = broken = 0
    demuxed = container.demux(audio=0)
    while True:
        found: list[av.AudioFrame] = []
        try:
            packet = next(demuxed, None)  # after an error of its own the demuxer ends
            if packet is None:
                break
            packets += 1
            found = packet.decode()
        except (av.FFmpegError, ValueError):
            broken += 1
        yield from (frame for frame in found if frame.samples)
    if broken > _BAD_SHARE * packets:
        share = broken / max(packets, broken)
        raise VoiceFailure(
            "corrupt", f"{share:.0%} of the recording can't be decoded; export or upload it again", value=share
        )


def _check(first: Block) -> None:
    if first.rate_hz < _RATE_MIN_HZ:
        raise VoiceFailure(
            "rate_too_low",
            f"sampled at {first.rate_hz} Hz, {_RATE_MIN_HZ} Hz needed; record at 8 kHz or more",
            value=float(first.rate_hz),
            limit=float(_RATE_MIN_HZ),
        )
    if first.rate_hz > _RATE_MAX_HZ or first.channels > _CHANNELS_MAX:
        raise VoiceFailure(
            "corrupt", f"the header claims {first.rate_hz} Hz, {first.channels} channels; convert the recording to WAV"
        )


def _block(frame: av.AudioFrame, channel: int | None) -> Block:
    data: NDArray[Any] = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if not frame.format.is_planar:
        data = data.reshape(-1, channels).T
    if channel is None:
        samples = _unit(data).mean(axis=0, dtype=np.float32) if channels > 1 else _unit(data[0])
    elif 0 <= channel < channels:
        samples = _unit(data[channel])
    else:
        raise VoiceFailure(
            "channel_missing",
            f"channel {channel} asked for, the recording has {channels}: 0 to {channels - 1}; name one of them",
            value=float(channel),
            limit=float(channels - 1),
        )
    return Block(samples, frame.sample_rate, channels)


def _unit(data: NDArray[Any]) -> NDArray[np.float32]:
    """Bring full scale to 1: unsigned 8 bit is centred on 128, signed ones are divided by 2 ** (bits - 1)."""
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - np.float32(128)) / np.float32(128)
    if np.issubdtype(data.dtype, np.integer):
        return data.astype(np.float32) / np.float32(2.0 ** (8 * data.dtype.itemsize - 1))
    with np.errstate(all="ignore"):  # a broken stream holds any float
        found = data.astype(np.float32, copy=False)
        if math.isfinite(np.vdot(found, found)):  # as nearly always, and ten times as fast to find out
            return found
        return np.nan_to_num(found, nan=0.0, posinf=1.0, neginf=-1.0)
