"""A labelled corpus of calls, built from real speech: who speaks when on which channel, and what was planted where.

Readers (LibriSpeech) and announcers (telephone prompts of Debian packages) are cut to utterances of 5 to 12 s and laid
out as calls by a seeded generator, so every run makes the same sounds. The music is what Debian packages for callers on
hold. Nothing of it is stored; `digest` names what was made.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from config.settings import load as load_settings
from engine.voice.samples import RATE_HZ
from tests.support.speech import has_readers, load, speakers, wav
from voxroll.demo.voices import cast

Samples = NDArray[np.float32]
Band = Literal["wide", "telephone"]

_LEAST_S, _MOST_S = 5.0, 12.0
_FLOOR_DB = -70.0  # of the room
_LEVEL_DB = -24.0  # of the speech
_UNDER_DB, _OVER_DB = 26.0, 10.0  # a frame is speech if it isn't so far under the level, and so far over the floor
_FRAME = 160
_RUMBLE_LINES = 2  # of 100 Hz
_CLOSE_S, _PAD_S = 0.3, 0.1  # as the product counts: pauses of up to 0.3 s are speech, 0.1 s on both sides too


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance: who speaks from when to when, on which channel, and how many seconds of speech that is."""

    start_s: float
    end_s: float
    speaker: str
    channel: int
    speech_s: float


@dataclass(frozen=True, slots=True)
class Planted:
    """A defect that was put in: what, and where."""

    code: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Call:
    """A recording with its truth: its channels, who is meant, who speaks when, what was planted."""

    name: str
    channels: tuple[Samples, ...]
    target: str
    turns: tuple[Turn, ...]
    planted: tuple[Planted, ...] = ()
    rate_hz: int = RATE_HZ

    @property
    def duration_s(self) -> float:
        return len(self.channels[0]) / self.rate_hz

    def speech_s(self, speaker: str, start_s: float = 0.0, end_s: float = float("inf")) -> float:
        """Seconds of a speaker's speech between two times, spread evenly over each turn."""
        return sum(
            max(0.0, min(turn.end_s, end_s) - max(turn.start_s, start_s)) / (turn.end_s - turn.start_s) * turn.speech_s
            for turn in self.turns
            if turn.speaker == speaker
        )

    def share_of(self, speaker: str, start_s: float, end_s: float) -> float:
        """How much of the speech between two times is one speaker's."""
        everybody = sum(self.speech_s(name, start_s, end_s) for name in {turn.speaker for turn in self.turns})
        return self.speech_s(speaker, start_s, end_s) / everybody if everybody else 0.0

    def wav(self) -> bytes:
        return wav(self.channels, rate_hz=self.rate_hz)


@dataclass(frozen=True, slots=True)
class Talker:
    """Somebody with utterances of 5 to 12 s, all at one level; some are held out of all calls, to verify with."""

    name: str
    band: Band
    utterances: tuple[Samples, ...] = field(repr=False)
    held_out: tuple[Samples, ...] = field(repr=False)


@cache
def talkers() -> tuple[Talker, ...]:
    """Ten readers and seven announcers; the announcers alone where LibriSpeech isn't beside the checkout."""
    readers = [
        _talker(f"reader-{name}", paths, "wide") for name, paths in (speakers() if has_readers() else {}).items()
    ]
    voices = cast(load_settings().cache_dir, say=lambda _line: None).voices
    announcers = [
        _talker(voice.speaker_id, voice.prompts[:120], "telephone" if voice.prompts[0].suffix == ".gsm" else "wide")
        for voice in voices
    ]
    return tuple(readers + announcers)


def _talker(name: str, files: Sequence[Path], band: Band) -> Talker:
    utterances = tuple(_levelled(one) for one in _cut(load(path) for path in files))
    held_out = max(2, len(utterances) // 10)
    return Talker(name, band, utterances[:-held_out], utterances[-held_out:])


@cache
def music() -> tuple[Samples, ...]:
    """Five tracks of hold music, from a Debian package that is downloaded once; none where there is no apt."""
    folder = load_settings().cache_dir / "voices" / "asterisk-moh-opsound-wav"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            for command in (["apt-get", "download", folder.name], ["sh", "-c", "dpkg-deb -x *.deb made"]):
                if subprocess.run(command, cwd=work, capture_output=True, check=False).returncode:
                    return ()
            (Path(work) / "made").rename(folder)
    return tuple(_levelled(load(path)) for path in sorted(folder.rglob("*.wav")))


def _cut(pieces: Iterable[Samples]) -> Iterable[Samples]:
    """Utterances of 5 to 12 s: short pieces joined with 0.25 s of quiet, long ones kept as they are up to 12 s."""
    held: list[Samples] = []
    for piece in pieces:
        held += [piece[: round(_MOST_S * RATE_HZ)], np.zeros(RATE_HZ // 4, np.float32)]
        if sum(map(len, held)) >= _LEAST_S * RATE_HZ:
            yield np.concatenate(held)[: round(_MOST_S * RATE_HZ)]
            held = []


def _levelled(samples: Samples) -> Samples:
    """Bring sound to -24 dBFS over its louder frames."""
    return np.asarray(samples * np.float32(10 ** (_LEVEL_DB / 20) / max(_loudness(samples), 1e-6)), np.float32)


def _loudness(samples: Samples) -> float:
    power = _power(samples)
    return float(np.sqrt(power[power >= np.quantile(power, 0.5)].mean()))


def _power(samples: Samples) -> NDArray[np.float64]:
    """Mean square per 10 ms, of what is above 200 Hz."""
    whole = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    lines = np.fft.rfft(whole, axis=1)[:, _RUMBLE_LINES:]
    return np.asarray(2 * np.square(np.abs(lines)).sum(axis=1) / _FRAME**2 + 1e-12, np.float64)


def speech_s(samples: Samples) -> float:
    """Seconds of speech in one clean utterance."""
    return sum(b - a for a, b in speech_spans(samples))


def speech_spans(samples: Samples) -> tuple[tuple[float, float], ...]:
    """Where in one clean utterance there is speech, by energy alone, no network asked.

    Frames of 10 ms count that are within 26 dB of the utterance's level and 10 dB over its floor.
    """
    power = _power(samples)
    least = max(_loudness(samples) ** 2 / 10 ** (_UNDER_DB / 10), np.quantile(power, 0.05) * 10 ** (_OVER_DB / 10))
    flags = np.flatnonzero(power > least)
    if not len(flags):
        return ()
    step = _FRAME / RATE_HZ
    breaks = np.flatnonzero(np.diff(flags) * step > _CLOSE_S)
    starts = flags[np.concatenate([[0], breaks + 1])] * step
    ends = (flags[np.concatenate([breaks, [len(flags) - 1]])] + 1) * step
    padded = [
        (max(0.0, a - _PAD_S), min(len(samples) / RATE_HZ, b + _PAD_S)) for a, b in zip(starts, ends, strict=True)
    ]
    return tuple((float(a), float(b)) for a, b in padded if b - a >= 0.05 + 2 * _PAD_S)


@dataclass(slots=True)
class Stage:
    """Lays utterances on channels, one after the other."""

    channels: int
    rng: np.random.Generator
    at_s: float = 0.5
    _placed: list[tuple[int, int, Samples]] = field(default_factory=list)
    _turns: list[Turn] = field(default_factory=list)

    def say(self, talker: str, utterance: Samples, *, channel: int, gap_s: float, gain_db: float = 0.0) -> Turn:
        """Add a turn after a pause (a negative one talks into the turn before)."""
        self.at_s += gap_s
        start = round(self.at_s * RATE_HZ)
        self._placed.append((channel, start, utterance * np.float32(10 ** (gain_db / 20))))
        end_s = start / RATE_HZ + len(utterance) / RATE_HZ
        turn = Turn(start / RATE_HZ, end_s, talker, channel, speech_s(utterance))
        self._turns.append(turn)
        self.at_s = end_s
        return turn

    def finish(self, *, leakage_db: float = -60.0) -> tuple[tuple[Samples, ...], tuple[Turn, ...]]:
        """Mix down, each channel with a room's noise and what leaks from the others."""
        length = round((self.at_s + 0.5) * RATE_HZ)
        dry = [np.zeros(length, np.float32) for _ in range(self.channels)]
        for channel, start, utterance in self._placed:
            dry[channel][start : start + len(utterance)] += utterance
        leak = np.float32(10 ** (leakage_db / 20))
        room = np.float32(10 ** (_FLOOR_DB / 20))
        wet = [
            one
            + leak * sum((other for k, other in enumerate(dry) if k != number), np.zeros(length, np.float32))
            + room * self.rng.standard_normal(length).astype(np.float32)
            for number, one in enumerate(dry)
        ]
        return tuple(np.clip(one, -1, 1).astype(np.float32) for one in wet), tuple(self._turns)


def conversation(
    name: str,
    a: Talker,
    b: Talker,
    rng: np.random.Generator,
    *,
    channels: int,
    rounds: int = 3,
    leakage_db: float = -60.0,
) -> Call:
    """Two parties take turns, `a` with one to three utterances to the other's one; who speaks most is meant."""
    stage = Stage(channels, rng)
    own, other = (iter(_shuffled(one.utterances, rng)) for one in (a, b))
    side = int(rng.integers(2)) if channels == 2 else 0
    for number in range(rounds):
        for utterance in islice(own, 3 if number == rounds // 2 else int(rng.integers(1, 3))):
            stage.say(a.name, utterance, channel=side, gap_s=float(rng.uniform(0.1, 0.5)))
        stage.say(
            b.name,
            next(other)[: round(float(rng.uniform(3, 6)) * RATE_HZ)],
            channel=1 - side if channels == 2 else 0,
            gap_s=float(rng.uniform(0.15, 0.6)),
            gain_db=float(rng.uniform(-6, 3)),
        )
    mixed, turns = stage.finish(leakage_db=leakage_db)
    said_s = {one.name: sum(turn.speech_s for turn in turns if turn.speaker == one.name) for one in (a, b)}
    return Call(name, mixed, max(said_s, key=lambda who: said_s[who]), turns)


def monologue(name: str, a: Talker, rng: np.random.Generator, *, seconds: float = 24.0, gap_s: float = 0.3) -> Call:
    """One person, for about so long."""
    stage = Stage(1, rng)
    for utterance in _shuffled(a.utterances, rng):
        if stage.at_s >= seconds:
            break
        stage.say(a.name, utterance, channel=0, gap_s=gap_s)
    mixed, turns = stage.finish()
    return Call(name, mixed, a.name, turns)


def _shuffled(utterances: Sequence[Samples], rng: np.random.Generator) -> list[Samples]:
    return [utterances[k] for k in rng.permutation(len(utterances))]


def pink(length: int, rng: np.random.Generator) -> Samples:
    """Noise of 1/f power, from 125 Hz on, with a mean square of 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    spectrum[1:] /= np.sqrt(hz[1:])
    spectrum[hz < 125] = 0
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / noise.std(), np.float32)


def tones(kind: str, seconds: float) -> Samples:
    """What exchanges and recorders play: ringback, busy (ITU-T E.180), DTMF (ITU-T Q.23), the recorder's beep."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    keys = [(697, 1209), (770, 1336), (852, 1477), (941, 1336)]
    match kind:
        case "ringback":
            return _sines(time, (440, 480)) * (time % 6 < 2)
        case "busy":
            return _sines(time, (480, 620)) * (time % 1 < 0.5)
        case "dtmf":
            which = (time / 0.3).astype(int) % len(keys)
            sound = np.select([which == k for k in range(len(keys))], [_sines(time, key) for key in keys])
            return np.asarray(sound * (time % 0.3 < 0.2), np.float32)
        case _:
            return _sines(time, (1400,))


def _sines(time: NDArray[np.float64], hz: Sequence[float]) -> Samples:
    return np.asarray(sum(np.sin(2 * np.pi * one * time) for one in hz) * 10 ** (_LEVEL_DB / 20) / len(hz), np.float32)


def through(call_channels: Sequence[Samples], kind: str) -> bytes:
    """A recording as archives hold it: one of `CODECS`."""
    container, codec, rate, bits = CODECS[kind]
    layout = "stereo" if len(call_channels) == 2 else "mono"
    frame = av.AudioFrame.from_ndarray(np.stack(call_channels), format="fltp", layout=layout)
    frame.sample_rate = RATE_HZ
    with tempfile.TemporaryFile() as file:
        with av.open(file, "w", format=container) as out:
            stream = out.add_stream(codec, rate=rate)
            assert isinstance(stream, av.AudioStream)
            stream.layout = layout
            if bits:
                stream.bit_rate = bits * len(call_channels)
            resampler = av.AudioResampler(
                stream.format.name, layout, rate, frame_size=stream.codec_context.frame_size or 1024
            )
            for ready in [*resampler.resample(frame), *resampler.resample(None)]:
                out.mux(stream.encode(ready))
            out.mux(stream.encode(None))
        file.seek(0)
        return file.read()


CODECS = {  # container, codec, rate, bits per second and channel
    "telephone": ("wav", "pcm_mulaw", 8000, 0),
    "mp3": ("mp3", "libmp3lame", 16000, 32000),
    "mp3 8 kHz": ("mp3", "libmp3lame", 8000, 16000),
    "opus": ("ogg", "libopus", 48000, 16000),
    "amr": ("amr", "libopencore_amrnb", 8000, 12200),
}


def digest(calls: Iterable[Call]) -> str:
    """What names a corpus: a hash over its sounds."""
    whole = hashlib.sha256()
    for call in calls:
        whole.update(call.name.encode())
        for channel in call.channels:
            whole.update(np.rint(channel * 32767).astype("<i2").tobytes())
    return whole.hexdigest()[:16]
