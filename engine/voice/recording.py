"""A recording as samples to compute on, and a cut from it as a file to hand in.

`decode` gives 16 kHz mono for measuring; `cut` gives the very samples of the original at its own rate. Both count
samples from the beginning and stop where they have enough, so that a recording of hours costs what its searched part
costs. Neither changes the gain.
"""

import io
import math
import wave
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TypeVar, cast

import av
import numpy as np
from numpy.typing import NDArray

from engine.voice.container import Block, blocks
from engine.voice.failure import VoiceFailure
from engine.voice.samples import RATE_HZ, floats, sixteen_bits

_T = TypeVar("_T")
_R = TypeVar("_R")
_SLACK_S = 1.0  # people name whole seconds, and players round up
_GATHER_S = 8  # so much is resampled in one go: the codecs' frames of 20 ms would cost more in calls than in work


@dataclass(frozen=True, slots=True)
class Recording:
    """What was decoded of a recording.

    Attributes:
        samples: (n,) 16 kHz mono, 16 bits: half the memory of floats, for half an hour of it is 58 MB.
        native_rate_hz: the recording's own sampling rate.
        channels: how many the recording has, whichever were taken.
        duration_s: seconds of audio that were decoded.
        truncated: it is longer than the limit, and the rest was not looked at.
        start_s: where in the whole recording it begins; all other times count from there.
    """

    samples: NDArray[np.int16]
    native_rate_hz: int
    channels: int
    duration_s: float
    truncated: bool
    start_s: float = 0.0

    def between(self, start_s: float, end_s: float) -> NDArray[np.float32]:
        """The sound between two times, float32 in [-1, 1]."""
        return floats(self.samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)])


@dataclass(frozen=True, slots=True)
class Sound:
    """What is known of a recording once it was decoded: as in `Recording`, and how many 16 kHz samples it makes."""

    native_rate_hz: int
    channels: int
    duration_s: float
    truncated: bool
    length: int
    start_s: float = 0.0


def decode(
    source: bytes | Path,
    *,
    channel: int | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    limit_s: float = 1800.0,
) -> Recording:
    """Decode up to `limit_s` seconds.

    Args:
        source: the file's bytes, or its path (raw G.722 and GSM are known by their names alone).
        channel: the one to take, from 0; None for the mean of all.
        start_s: what is before is left out.
        end_s: likewise what is behind; None: the recording's end.
        limit_s: seconds behind the start after which decoding stops.

    Raises:
        VoiceFailure: empty, not_audio, corrupt, rate_too_low, channel_missing, stretch_missing.
        OSError: the path can't be read.
    """
    pieces: list[NDArray[np.int16]] = []
    taken = streamed(source, channel=channel, start_s=start_s, end_s=end_s, limit_s=limit_s)
    sound = yield_into(pieces.append, taken)
    return recorded(np.concatenate(pieces), sound)


def streamed(
    source: bytes | Path, *, channel: int | None, start_s: float = 0.0, end_s: float | None = None, limit_s: float
) -> Generator[NDArray[np.int16], None, Sound]:
    """Decode as `decode` does, some seconds at a time: 16 kHz mono samples, and at the end what they are."""
    stream = blocks(source, channel=channel)
    first = next(stream)
    wanted_s = math.inf if end_s is None else end_s - start_s
    limit = round(min(limit_s, wanted_s) * first.rate_hz)
    resampler = _Resampler(first.rate_hz)
    count = 0
    for gathered in _gathered(_behind(chain([first], stream), start_s), limit):
        count += len(gathered)
        yield sixteen_bits(resampler.push(gathered))
    yield sixteen_bits(resampler.push(None))
    taken = min(count, limit)
    taken_s = taken / first.rate_hz
    if end_s is not None and taken_s + _SLACK_S < min(wanted_s, limit_s):
        raise _stretch_missing("ends", end_s, whole_s=start_s + taken_s)
    length = round(taken * RATE_HZ / first.rate_hz)
    return Sound(first.rate_hz, first.channels, taken_s, count > limit and limit_s < wanted_s, length, start_s)


def yield_into(take: Callable[[_T], object], pieces: Generator[_T, None, _R]) -> _R:
    """Hand each piece on; returns what the generator returns."""
    while True:
        try:
            take(next(pieces))
        except StopIteration as end:
            return cast("_R", end.value)


def recorded(samples: NDArray[np.int16], sound: Sound) -> Recording:
    """The recording that decoded samples make; the resampler may have given a few too many."""
    taken = samples[: sound.length]
    return Recording(
        taken, sound.native_rate_hz, sound.channels, sound.duration_s, sound.truncated, start_s=sound.start_s
    )


def cut(source: bytes | Path, *, start_s: float, end_s: float, channel: int | None = None) -> bytes:
    """Cut `[round(start_s * rate), round(end_s * rate))` out of a recording, sample exact.

    16-bit originals come out bit by bit. Wider integers and the floats of lossy codecs are rounded to the nearest
    16-bit value, without dither: the same cut is the same bytes every time, and its noise is 30 dB under any codec's.

    Returns:
        A WAV file, 16-bit PCM, mono, at the recording's own rate.

    Raises:
        VoiceFailure: as `decode`; also empty, where the recording ends before `start_s`.
        ValueError: `start_s` is negative or not before `end_s`.
    """
    if not 0 <= start_s < end_s:
        raise ValueError(f"no stretch of a recording: {start_s} s to {end_s} s")
    stream = blocks(source, channel=channel)
    first = next(stream)
    start, end = round(start_s * first.rate_hz), round(end_s * first.rate_hz)
    at, pieces = 0, []
    for block in chain([first], stream):
        pieces.append(block.samples[max(0, start - at) : max(0, end - at)])
        at += len(block.samples)
        if at >= end:
            break
    samples = np.concatenate(pieces)
    if not len(samples):
        raise VoiceFailure(
            "empty",
            f"the recording ends at {at / first.rate_hz:.1f} s, before the cut at {start_s:.1f} s; cut earlier",
            value=at / first.rate_hz,
            limit=start_s,
        )
    return to_wav(samples, rate_hz=first.rate_hz)


def to_wav(samples: NDArray[np.float32], *, rate_hz: int) -> bytes:
    """Write mono samples in [-1, 1] as a 16-bit PCM WAV file, rounded, not dithered."""
    data = sixteen_bits(samples).astype("<i2", copy=False)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(data.tobytes())
    return buffer.getvalue()


def narrowed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take 16 kHz samples through 8 kHz and back: what a telephone would leave of the band."""
    half, whole = _Resampler(RATE_HZ, RATE_HZ // 2), _Resampler(RATE_HZ // 2)
    down = np.concatenate([half.push(samples), half.push(None)])
    up = np.concatenate([whole.push(down), whole.push(None)])
    return np.pad(up, (0, max(0, len(samples) - len(up))))[: len(samples)]


def _behind(stream: Iterator[Block], start_s: float) -> Iterator[Block]:
    """What lies behind a time of a recording, which must reach so far."""
    at = rate_hz = 0
    for block in stream:
        skipped, rate_hz = max(0, round(start_s * block.rate_hz) - at), block.rate_hz
        at += len(block.samples)
        if skipped < len(block.samples):
            yield replace(block, samples=block.samples[skipped:])
    if start_s and at <= round(start_s * rate_hz):
        raise _stretch_missing("begins", start_s, whole_s=at / rate_hz)


def _stretch_missing(what: str, at_s: float, *, whole_s: float) -> VoiceFailure:
    return VoiceFailure(
        "stretch_missing",
        f"the stretch {what} at {at_s:.1f} s, the recording ends at {whole_s:.1f} s; name a stretch within it",
        value=at_s,
        limit=whole_s,
    )


def _gathered(stream: Iterator[Block], limit: int) -> Iterator[NDArray[np.float32]]:
    """Join blocks to stretches of some seconds, until more than `limit` samples have passed."""
    pieces: list[NDArray[np.float32]] = []
    held = total = 0
    for block in stream:
        pieces.append(block.samples)
        held += len(block.samples)
        total += len(block.samples)
        if held >= _GATHER_S * block.rate_hz or total > limit:
            yield np.concatenate(pieces)
            pieces, held = [], 0
        if total > limit:
            return
    if pieces:
        yield np.concatenate(pieces)


class _Resampler:
    """FFmpeg's resampler on numpy arrays, mono."""

    def __init__(self, from_hz: int, to_hz: int = RATE_HZ) -> None:
        self._from_hz = from_hz
        self._swr = av.AudioResampler("flt", "mono", to_hz) if from_hz != to_hz else None

    def push(self, samples: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Hand in the next samples, or None at the end; gives what is ready."""
        if self._swr is None:
            return np.zeros(0, np.float32) if samples is None else samples
        frame = None
        if samples is not None:
            if not len(samples):
                return np.zeros(0, np.float32)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format="flt", layout="mono")
            frame.sample_rate = self._from_hz
        out = [ready.to_ndarray()[0] for ready in self._swr.resample(frame)]
        return np.concatenate(out) if out else np.zeros(0, np.float32)
