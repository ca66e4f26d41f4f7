"""Makes the demo's recordings: several per speaker, one held out per speaker, and four that must be turned down.

A recording is several prompts of one person with 0.2 s of that person's room between them. No prompt is used twice, so
the held-out recording has words that the engine has never heard from anybody. Formats and sample rates differ, as they
do in life. With synthetic voices there are three sentences each, so they are said again and again.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from voxroll.demo.voices import Cast, Voice
from voxroll.failure import CommandError

Samples = NDArray[np.float32]

_LENGTHS = ((16.0, "monday.wav"), (22.0, "tuesday.mp3"), (34.0, "wednesday.flac"))
_HELD_OUT_S = 18.0
_PAUSE_S = 0.2
_PROMPT_S = (1.5, 12.0)  # shorter is a word, longer is a text of its own that would fill a recording
_TURN_S = 3.0  # under the 6 s of the shortest sample: no stretch of one voice is long enough
_TURNS = 8
_CODECS = {".wav": "pcm_s16le", ".mp3": "libmp3lame", ".flac": "flac"}


@dataclass(frozen=True, slots=True)
class Take:
    """One recording; `codes` are the reasons it must be turned down for, none for a good one."""

    path: Path
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Script:
    """All recordings of the demo by speaker, and one per speaker that is not enrolled."""

    takes: dict[str, list[Take]]
    held_out: dict[str, Path]

    def count(self) -> int:
        """How many recordings will be handed in."""
        return sum(map(len, self.takes.values()))


class _Mouth:
    """One person's prompts, said one after the other; each once, unless they are too few (`again`)."""

    def __init__(self, voice: Voice, *, again: bool) -> None:
        order = list(voice.prompts)
        random.Random(voice.speaker_id).shuffle(order)  # noqa: S311  (the same order every time, not a secret)
        self.speaker_id = voice.speaker_id
        self.rate_hz = 0
        self._again = again
        self._prompts = self._said(order)

    def _said(self, order: list[Path]) -> Iterator[Samples]:
        while True:
            for path in order:
                samples, rate_hz = decode(path)
                if (self._again or len(samples) >= _PROMPT_S[0] * rate_hz) and len(samples) <= _PROMPT_S[1] * rate_hz:
                    self.rate_hz = rate_hz
                    yield samples
            if not self._again:
                raise CommandError("no_voices", f"{self.speaker_id} has too few prompts; empty the cache and try again")

    def say(self, seconds: float) -> Samples:
        """A recording of this length: prompts with room between them, the last one cut short."""
        pieces: list[Samples] = []
        while sum(map(len, pieces)) < seconds * (self.rate_hz or 1):
            prompt = next(self._prompts)
            pieces += [trimmed(prompt, self.rate_hz), room(prompt, self.rate_hz)]
        return np.concatenate(pieces)[: round(seconds * self.rate_hz)]


def write_all(cast: Cast, folder: Path) -> Script:
    """Make every recording of the demo in a folder."""
    mouths = [_Mouth(voice, again=cast.synthetic) for voice in cast.voices]
    script = Script({}, {})
    for mouth in mouths:
        home = folder / mouth.speaker_id
        home.mkdir()
        takes = script.takes[mouth.speaker_id] = []
        for seconds, name in _LENGTHS:
            takes.append(Take(_write(home / name, mouth.say(seconds), mouth.rate_hz)))
        held_out = folder / f"{mouth.speaker_id}-held-out.wav"
        script.held_out[mouth.speaker_id] = _write(held_out, mouth.say(_HELD_OUT_S), mouth.rate_hz)
    _spoil(script, mouths, folder)
    return script


def _spoil(script: Script, mouths: list[_Mouth], folder: Path) -> None:
    """Give the first four speakers a recording each that must be turned down.

    It comes first: once the goal is met by good ones, nobody needs to look at the rest.
    """
    short, mute, broken, chatty = mouths[:4]
    chance = np.random.default_rng(7)

    def add(mouth: _Mouth, name: str, *codes: str) -> Path:
        path = folder / mouth.speaker_id / name
        script.takes[mouth.speaker_id].insert(0, Take(path, frozenset(codes)))
        return path

    _write(add(short, "four-seconds.wav", "too_short"), short.say(4.0), short.rate_hz)
    hiss = chance.normal(0, 3e-5, 15 * mute.rate_hz).astype(np.float32)  # the last bit of 16, as a muted line has it
    _write(add(mute, "muted-line.wav", "silent"), hiss, mute.rate_hz)
    add(broken, "broken.mp3", "not_audio", "corrupt").write_bytes(b"ID3\x04" + chance.bytes(40_000))
    _write(add(chatty, "two-people.wav", "several_voices"), _talk(chatty, broken), chatty.rate_hz)


def _talk(one: _Mouth, other: _Mouth) -> Samples:
    """Two people in turns, at the sample rate of the first."""
    turns: list[Samples] = []
    for _ in range(_TURNS // 2):
        turns.append(one.say(_TURN_S))
        said = other.say(_TURN_S)
        places = np.linspace(0, len(said) - 1, round(_TURN_S * one.rate_hz))
        turns.append(np.interp(places, np.arange(len(said)), said).astype(np.float32))
    return np.concatenate(turns)


def trimmed(prompt: Samples, rate_hz: int) -> Samples:
    """A prompt without the quiet before and after it, which prompts have very differently."""
    step = rate_hz // 100
    frames = prompt[: len(prompt) // step * step].reshape(-1, step)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 0.02 * np.abs(prompt).max())
    if not len(loud):
        return prompt
    return prompt[max(0, int(loud[0]) - 5) * step : (int(loud[-1]) + 6) * step]


def room(prompt: Samples, rate_hz: int) -> Samples:
    """0.2 s of the quietest that the prompt has: how the room sounds when nobody speaks."""
    length = round(_PAUSE_S * rate_hz)
    energy = np.cumsum(prompt.astype(np.float64) ** 2)
    start = int((energy[length:] - energy[:-length]).argmin())
    return prompt[start : start + length]


def decode(path: Path) -> tuple[Samples, int]:
    """A prompt as mono float32 at its own sample rate; empty where the file is empty or broken, as a few are."""
    try:
        with av.open(str(path), format="g722" if path.suffix == ".g722" else None) as container:
            rate_hz = container.streams.audio[0].rate
            resampler = av.AudioResampler("flt", "mono", rate_hz)
            frames = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    except av.FFmpegError:
        return np.zeros(0, np.float32), 1
    return np.concatenate(frames) if frames else np.zeros(0, np.float32), rate_hz


def _write(path: Path, samples: Samples, rate_hz: int) -> Path:
    """Encode mono audio in the format that the suffix names."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(_CODECS[path.suffix], rate=rate_hz, layout="mono")
        assert isinstance(stream, av.AudioStream)  # noqa: S101  (the codecs above are of audio)
        data = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[None, :]
        frame = av.AudioFrame.from_ndarray(data, format="s16", layout="mono")
        frame.sample_rate = rate_hz
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path
