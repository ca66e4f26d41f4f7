"""The calls of the diarization bench: two parties, real speech, and who speaks when to 10 ms.

Two styles: `turns` of 2 to 8 s with pauses, and `lively` talk: turns of 0.6 to 5 s, every third one begun before the
other has ended, and short words thrown in while the other speaks. What is laid out are pieces of read speech and of
telephone prompts, cut at their quietest place nearby; nobody reacts to anybody. Truth is energy within each piece
(`corpus.speech_spans`): pauses of up to 0.3 s are speech, 0.1 s on both sides too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.voice.samples import RATE_HZ
from tests.support import corpus
from tests.support.corpus import Call, Samples, Stage, Talker, Turn
from tests.support.der import Said

STYLES = ("turns", "lively")
_SECONDS = 60.0
_NEAR_S = 0.2  # around the wanted end, where the quietest place is looked for
_FADE = 80  # samples: 5 ms
_WORD_S = (0.4, 0.9)
_UNDER_DB = (-8.0, -2.0)  # of a word thrown in, relative to who speaks


@dataclass(frozen=True, slots=True)
class Spoken:
    """A call, who speaks when in it, and whether its parties are on two channels."""

    call: Call
    truth: tuple[Said, ...]


@dataclass(slots=True)
class Mouth:
    """What somebody still has to say."""

    talker: Talker
    rng: np.random.Generator
    at: int = 0
    _samples: Samples | None = None
    _spans: tuple[tuple[float, float], ...] = ()

    def next(self, seconds: float) -> tuple[Samples, tuple[tuple[float, float], ...]]:
        """About so many seconds from the next word on, and where in them there is speech."""
        samples, spans = self._everything()
        start = next((max(a, self.at / RATE_HZ) for a, b in spans if b > self.at / RATE_HZ + 0.3), None)
        if start is None:
            self.at = 0
            return self.next(seconds)
        first = round(start * RATE_HZ)
        last = _quietest(samples, min(first + round(seconds * RATE_HZ), len(samples)))
        self.at = last
        piece = samples[first:last].copy()
        ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
        piece[:_FADE] *= ramp
        piece[-_FADE:] *= ramp[::-1]
        inside = [(max(a, first / RATE_HZ), min(b, last / RATE_HZ)) for a, b in spans]
        return piece, tuple((a - first / RATE_HZ, b - first / RATE_HZ) for a, b in inside if b > a)

    def _everything(self) -> tuple[Samples, tuple[tuple[float, float], ...]]:
        if self._samples is None:
            order = self.rng.permutation(len(self.talker.utterances))
            pieces, spans, at = [], [], 0.0
            for number in order:
                one = self.talker.utterances[number]
                pieces.append(one)
                spans += [(a + at, b + at) for a, b in corpus.speech_spans(one)]
                at += len(one) / RATE_HZ
            self._samples, self._spans = np.concatenate(pieces), tuple(spans)
        return self._samples, self._spans


def pairs(count: int) -> list[tuple[Talker, Talker]]:
    """So many different pairs, everybody about equally often."""
    every = list(combinations(corpus.talkers(), 2))
    order = np.random.default_rng(7).permutation(len(every))
    return [every[number] for number in order[:count]]


def call(number: int, style: str, *, channels: int = 1, seconds: float = _SECONDS) -> Spoken:
    """One call; the same number is the same pair."""
    pair = pairs(number + 1)[number]
    rng = np.random.default_rng([number, STYLES.index(style), channels])
    mouths = [Mouth(one, rng) for one in pair]
    stage = Stage(channels, rng)
    truth: list[Said] = []

    def say(who: int, piece: Samples, spans: tuple[tuple[float, float], ...], gap_s: float, gain_db: float) -> Turn:
        name = pair[who].name
        until_s = stage.at_s
        turn = stage.say(name, piece, channel=who % channels, gap_s=gap_s, gain_db=gain_db)
        stage.at_s = max(stage.at_s, until_s)  # what is thrown in ends before who speaks does
        truth.extend(Said(turn.start_s + a, turn.start_s + b, name) for a, b in spans)
        return turn

    levels = [0.0, float(rng.uniform(-6, 3))]
    for who in _order(rng):
        if stage.at_s >= seconds:
            break
        length, gap_s = _turn(style, rng)
        turn = say(who, *mouths[who].next(length), max(gap_s, -stage.at_s), levels[who])
        if style == "lively" and turn.end_s - turn.start_s > 3 and rng.uniform() < 0.6:
            at_s = float(rng.uniform(turn.start_s + 1, turn.end_s - 1.2))
            word = mouths[1 - who].next(float(rng.uniform(*_WORD_S)))
            say(1 - who, *word, at_s - stage.at_s, levels[1 - who] + float(rng.uniform(*_UNDER_DB)))
    mixed, turns = stage.finish(leakage_db=-30.0 if channels == 2 else -60.0)
    return Spoken(Call(f"{style} {number}", mixed, pair[0].name, turns), tuple(_joined(truth)))


def _order(rng: np.random.Generator) -> Iterator[int]:
    """Who speaks next: the other one, or one time in five the same again."""
    who = int(rng.integers(2))
    while True:
        yield who
        who = who if rng.uniform() < 0.2 else 1 - who


def _turn(style: str, rng: np.random.Generator) -> tuple[float, float]:
    """Seconds of a turn, and of the pause before it."""
    if style == "turns":
        return float(rng.uniform(2, 8)), float(rng.uniform(0.1, 0.8))
    early = rng.uniform() < 1 / 3
    return float(rng.uniform(0.6, 5)), float(rng.uniform(-0.8, -0.2) if early else rng.uniform(0.05, 0.6))


def _quietest(samples: Samples, at: int) -> int:
    """The place with least power near one."""
    near, frame = round(_NEAR_S * RATE_HZ), RATE_HZ // 100
    piece = samples[max(0, at - near) : at + near]
    rows = np.square(piece[: len(piece) // frame * frame].reshape(-1, frame)).mean(axis=1)
    return max(0, at - near) + int(rows.argmin()) * frame + frame // 2


def _joined(truth: list[Said]) -> list[Said]:
    """Stretches of one speaker that touch become one."""
    joined: dict[str, list[Said]] = {}
    for one in sorted(truth, key=lambda said: said.start_s):
        mine = joined.setdefault(one.speaker, [])
        if mine and one.start_s <= mine[-1].end_s:
            mine[-1] = Said(mine[-1].start_s, max(mine[-1].end_s, one.end_s), one.speaker)
        else:
            mine.append(one)
    return sorted((one for mine in joined.values() for one in mine), key=lambda said: said.start_s)
