"""What is kept of a recording once it was judged: enough to print it and to draw it, some kilobytes an hour.

A scan holds 20 bytes per 32 ms and channel; of thousands of recordings that would fill the memory. Here a channel is at
most a thousand points of loudness and the spans in which somebody speaks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice.legs import Leg
from engine.voice.preflight import Found, Refused, Window
from engine.voice.speech import Span

_POINTS = 800
_FLOOR_DB, _TOP_DB = -66.0, -6.0  # of full scale: what is drawn as nothing, and as the whole height


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel.

    Attributes:
        number: from 0; None for the mean of all.
        leakage_db: how loud the loudest other channel is on it; NaN where there is none, or it never speaks.
        speech: where its own party speaks.
        outline: loudness along the time, from 0 to 100, at most 800 points.
    """

    number: int | None
    leakage_db: float
    speech: tuple[Span, ...]
    outline: bytes

    @property
    def speech_s(self) -> float:
        """Seconds of speech."""
        return sum(span.duration_s for span in self.speech)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A recording; the fields are those of `Found`, but for three.

    Attributes:
        start_s: where what was looked at begins.
        channels: how many the recording has.
        legs: those that were looked at; one where it has one, or where all hold the same sound.
    """

    start_s: float
    duration_s: float
    truncated: bool
    channels: int
    channel: int | None
    legs: tuple[Channel, ...]
    spans: tuple[Span, ...]
    music: tuple[Span, ...]
    tones: tuple[Span, ...]
    others: tuple[Span, ...]
    people: int
    windows: tuple[Window, ...]
    refused: tuple[Refused, ...]


def heard(found: Found, *, channels: int) -> Heard:
    """What is kept of a recording of so many channels."""
    start_s = found.recording.start_s
    return Heard(
        start_s=start_s,
        duration_s=found.duration_s,
        truncated=found.truncated,
        channels=channels,
        channel=found.leg.channel,
        legs=tuple(_channel(leg, start_s) for leg in found.legs),
        spans=found.spans,
        music=found.music,
        tones=found.tones,
        others=found.others,
        people=found.people,
        windows=found.windows,
        refused=found.refused,
    )


def outline(power: NDArray[np.float32], *, points: int = _POINTS) -> bytes:
    """The loudest of each of so many equal parts, in dB from -66 to -6 dBFS as 0 to 100."""
    if not len(power):
        return b""
    edges = np.linspace(0, len(power), min(points, len(power)), endpoint=False).astype(np.int64)
    loudest = 10 * np.log10(np.maximum(np.maximum.reduceat(power, edges), 1e-12))
    scaled = (loudest - _FLOOR_DB) / (_TOP_DB - _FLOOR_DB) * 100
    return bytes(np.clip(np.rint(scaled), 0, 100).astype(np.uint8))


def _channel(leg: Leg, start_s: float) -> Channel:
    speech = tuple(span.later(start_s) for span in leg.spans())
    return Channel(number=leg.channel, leakage_db=leg.leakage_db, speech=speech, outline=outline(leg.scan.power))
