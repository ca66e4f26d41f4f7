"""The cases of `make bench-mining`: one sound each, with what should be found in it. Made from a name and a number.

A case of one kind and number is the same sound on every machine that has the same speech.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tests.support import corpus
from tests.support.corpus import Call, Planted, Samples, Stage, Talker

Make = Callable[[int, np.random.Generator], "Case"]
RATE_HZ = 16000
TALK = ("wide", *corpus.CODECS)  # as recordings come: untouched, or through a codec


@dataclass(frozen=True, slots=True)
class Case:
    """A recording and what is expected of it.

    Attributes:
        kind: the group that it is counted in.
        call: sound and truth.
        codec: one of `corpus.CODECS`, or `wide` for plain WAV.
        codes: any of these refusals is right; empty: it must be usable.
    """

    kind: str
    call: Call
    codec: str = "wide"
    codes: frozenset[str] = frozenset()

    def encoded(self) -> bytes:
        return self.call.wav() if self.codec == "wide" else corpus.through(self.call.channels, self.codec)


def case(kind: str, number: int) -> Case:
    """The case of that kind and number."""
    rng = np.random.default_rng([number, zlib.crc32(kind.encode())])
    return KINDS[kind](number, rng)


def pair(number: int) -> tuple[Talker, Talker]:
    """Two different talkers of alike bands where there are such; every talker comes first as often as any other."""
    everybody = corpus.talkers()
    first = everybody[number % len(everybody)]
    others = [one for one in everybody if one is not first]
    return first, others[(number // len(everybody) * 7 + number) % len(others)]


def _sound_of(kind: str, codec: str) -> Make:
    def make(number: int, rng: np.random.Generator) -> Case:
        return Case(kind, corpus.monologue(f"{kind} {number}", pair(number)[0], rng), codec)

    return make


def _two_channels(number: int, rng: np.random.Generator) -> Case:
    a, b = pair(number)
    leakage_db = (-60.0, -30.0, -20.0)[number % 3]
    call = corpus.conversation(f"two channels {number}", a, b, rng, channels=2, leakage_db=leakage_db)
    return Case("two channels", call, ("wide", "telephone", "opus")[number // 3 % 3])


def _one_channel(number: int, rng: np.random.Generator) -> Case:
    a, b = pair(number)
    call = corpus.conversation(f"one channel {number}", a, b, rng, channels=1)
    return Case("one channel", call, ("wide", "telephone", "mp3", "amr")[number % 4])


def _spoilt(code: str, how: Callable[[Samples, np.random.Generator], Samples]) -> Make:
    """A monologue whose whole sound is spoilt."""

    def make(number: int, rng: np.random.Generator) -> Case:
        call = corpus.monologue(f"{code} {number}", pair(number)[0], rng)
        sound = np.clip(how(call.channels[0], rng), -1, 1).astype(np.float32)
        planted = (Planted(code, 0.0, call.duration_s),)
        codec = ("wide", "telephone", "mp3")[number % 3]
        return Case(code, replace(call, channels=(sound,), planted=planted), codec, frozenset({code}))

    return make


def _noise(sound: Samples, rng: np.random.Generator) -> Samples:
    """Pink noise 0 to 4 dB under the speech."""
    speech = np.sqrt(np.quantile(np.square(sound), 0.5) * 4)  # near enough; the level is -24 dBFS by design
    level = max(float(speech), 10 ** (-24 / 20)) / 10 ** (rng.uniform(0, 4) / 20)
    return np.asarray(sound + level * corpus.pink(len(sound), rng), np.float32)


def _clipped(sound: Samples, rng: np.random.Generator) -> Samples:
    return np.asarray(sound * 10 ** (rng.uniform(18, 30) / 20), np.float32)


def _quiet(sound: Samples, rng: np.random.Generator) -> Samples:
    return np.asarray(sound * 10 ** (rng.uniform(-42, -32) / 20), np.float32)


def _without_speech(code: str, sound: Callable[[int, np.random.Generator], Samples]) -> Make:
    def make(number: int, rng: np.random.Generator) -> Case:
        made = sound(number, rng)
        room = 10 ** (-70 / 20) * rng.standard_normal(len(made)).astype(np.float32)
        call = Call(f"{code} {number}", ((made + room).astype(np.float32),), "", ())
        return Case(code, call, ("wide", "telephone", "mp3")[number % 3], frozenset({code}))

    return make


def _hold_music(number: int, rng: np.random.Generator) -> Samples:
    tracks = corpus.music()
    track = tracks[number % len(tracks)]
    length = round(float(rng.uniform(15, 40)) * RATE_HZ)
    start = int(rng.integers(len(track) - length))
    return track[start : start + length]


def _tones(number: int, rng: np.random.Generator) -> Samples:
    return corpus.tones(("ringback", "busy", "dtmf", "beep")[number % 4], float(rng.uniform(10, 25)))


def _silence(_number: int, rng: np.random.Generator) -> Samples:
    return np.zeros(round(float(rng.uniform(8, 30)) * RATE_HZ), np.float32)


def _little_speech(number: int, rng: np.random.Generator) -> Case:
    talker = pair(number)[0]
    stage = Stage(1, rng, at_s=float(rng.uniform(1, 8)))
    utterance = talker.utterances[number % len(talker.utterances)]
    stage.say(talker.name, utterance[: round(float(rng.uniform(1.5, 2.8)) * RATE_HZ)], channel=0, gap_s=0)
    stage.at_s += float(rng.uniform(3, 10))
    mixed, turns = stage.finish()
    call = Call(f"little speech {number}", mixed, talker.name, turns)
    return Case("speech_too_short", call, ("wide", "telephone", "mp3")[number % 3], frozenset({"speech_too_short"}))


def _crowd(number: int, rng: np.random.Generator) -> Case:
    """Two on one channel who take turns every 1.5 to 3.5 s: nobody can be cut out."""
    a, b = pair(number)
    stage = Stage(1, rng)
    sounds = [np.concatenate(one.utterances[:3]) for one in (a, b)]
    at = [0, 0]
    for turn in range(12):
        which = turn % 2
        length = round(float(rng.uniform(1.5, 3.5)) * RATE_HZ)
        piece = sounds[which][at[which] : at[which] + length]
        at[which] += length
        stage.say((a, b)[which].name, piece, channel=0, gap_s=0.05)
    mixed, turns = stage.finish()
    codes = frozenset({"several_voices", "overlapped", "speech_too_short"})
    return Case(
        "several_voices", Call(f"crowd {number}", mixed, a.name, turns), ("wide", "telephone")[number % 2], codes
    )


def _overlapped(number: int, rng: np.random.Generator) -> Case:
    """Another one talks on underneath, 0 to 6 dB softer, in pieces of 2 to 4 s over half of the time."""
    a, b = pair(number)
    call = corpus.monologue(f"overlapped {number}", a, rng)
    under = np.zeros(len(call.channels[0]), np.float32)
    other, at, taken = np.concatenate(b.utterances[:4]), RATE_HZ, 0
    while at < len(under) - RATE_HZ:
        length = min(round(float(rng.uniform(2, 4)) * RATE_HZ), len(under) - at)
        piece = other[taken % len(other) : taken % len(other) + length]
        under[at : at + len(piece)] += piece
        at, taken = at + length + round(float(rng.uniform(1.5, 3)) * RATE_HZ), taken + length
    sound = call.channels[0] + under * 10 ** (-rng.uniform(0, 6) / 20)
    codes = frozenset({"several_voices", "overlapped"})
    mixed = np.clip(sound, -1, 1).astype(np.float32)
    return Case("overlapped", replace(call, channels=(mixed,)), ("wide", "telephone")[number % 2], codes)


def _within(kind: str, inserted: Callable[[int, np.random.Generator], Samples]) -> Make:
    """A usable recording with something else of 3 to 12 s before, in the midst or after; windows must keep clear."""

    def make(number: int, rng: np.random.Generator) -> Case:
        talker = pair(number)[0]
        stage = Stage(1, rng)
        planted: list[Planted] = []
        order = [*talker.utterances[: 5 if kind == "music within" else 4]]
        place = int(rng.integers(len(order) + 1)) if len(order) < 3 else (0, len(order))[number % 2]
        for at, utterance in enumerate([*order, None]):
            if at == place:
                sound = inserted(number, rng)[: round(float(rng.uniform(3, 12)) * RATE_HZ)]
                start = stage.at_s + 0.5
                stage.say("planted", sound, channel=0, gap_s=0.5)
                planted.append(Planted(kind, start, stage.at_s))
                stage.at_s += 0.5
            if utterance is not None:
                stage.say(talker.name, utterance, channel=0, gap_s=0.3)
        mixed, turns = stage.finish()
        spoken = tuple(turn for turn in turns if turn.speaker != "planted")
        call = Call(f"{kind} {number}", mixed, talker.name, spoken, tuple(planted))
        return Case(kind, call, ("wide", "telephone", "mp3")[number % 3])

    return make


KINDS: dict[str, Make] = {
    **{f"clean {codec}": _sound_of(f"clean {codec}", codec) for codec in TALK},
    "two channels": _two_channels,
    "one channel": _one_channel,
    "noisy": _spoilt("noisy", _noise),
    "clipped": _spoilt("clipped", _clipped),
    "too_quiet": _spoilt("too_quiet", _quiet),
    "music": _without_speech("music", _hold_music),
    "synthetic_tone": _without_speech("synthetic_tone", _tones),
    "silent": _without_speech("silent", _silence),
    "speech_too_short": _little_speech,
    "several_voices": _crowd,
    "overlapped": _overlapped,
    "music within": _within("music within", _hold_music),
    "tones within": _within("tones within", _tones),
}
