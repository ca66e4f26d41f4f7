"""Who of 50 enrolled speakers is it, or none of them? Tests of those who are enrolled, and of people who are not.

In: vectors of the clips. Out: how many tests are given the right name, and how many strangers are given any. Unknown
are 50 people who are in nothing else, one test each, and every enrolled talker's tests once more while this talker is
left out of the candidates. The rule is the engine's own, with centres fitted on people who are in no trial.
"""

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from engine.service.identify import UNKNOWN, Candidates, candidates, named
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint
from tests.bench.voice.trials import Clip, Trials
from tests.bench.voice.vectors import Heard
from tests.bench.voice.verification import Means, less, telephoned
from tests.support.voices import voice

CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Counts of tests."""

    right: int
    wrong: int
    known: int
    named_strangers: int
    strangers: int
    named_left_out: int
    left_out: int

    @property
    def false_accepts(self) -> float:
        """Share of unknown voices that were given a name."""
        return (self.named_strangers + self.named_left_out) / max(1, self.strangers + self.left_out)


def centred_by(means: Means) -> Voice:
    """Our models with other centres."""
    found = copy(voice())
    found.manifest = replace(found.manifest, wide=tuple(means.wide.tolist()), narrow=tuple(means.narrow.tolist()))
    return found


def searched(some: Trials, clean: Heard, tested: Heard, unknown: Heard, means: Means) -> OpenSet:
    """Enroll clean, test under a condition, each talker enrolled on one side and tested on the other."""
    models = centred_by(means)
    counts: dict[str, int] = defaultdict(int)
    for side in (0, 1):
        known = _known(some, clean, side=side)
        asked = {band: candidates(models, known, narrow_band=band) for band in (False, True)}
        for number, clip in enumerate(some.tested):
            if clip.side == 1 - side:
                found = _named(asked, tested, number, means)
                counts["known"] += 1
                counts["right"] += found == clip.speaker
                counts["wrong"] += found not in {clip.speaker, UNKNOWN}
                others = {band: _without(one, clip.speaker) for band, one in asked.items()}
                counts["left_out"] += 1
                counts["named_left_out"] += _named(others, tested, number, means) != UNKNOWN
        for number in range(len(some.unknown)):
            counts["strangers"] += 1
            counts["named_strangers"] += _named(asked, unknown, number, means) != UNKNOWN
    return OpenSet(**{name: counts[name] for name in OpenSet.__dataclass_fields__})


def _known(some: Trials, clean: Heard, *, side: int) -> Mapping[str, list[SamplePrint]]:
    """The talkers by all their samples of a side, filled up with strangers to 50."""
    found: dict[str, list[SamplePrint]] = defaultdict(list)
    for number, clip in enumerate(some.enrolled):
        if clip.side == side or (clip.side is None and len(found) < CANDIDATES):
            found[clip.speaker].append(_print(clean, number, clip))
    return found


def _print(heard: Heard, number: int, clip: Clip) -> SamplePrint:
    return SamplePrint(
        vector=heard.vectors[number],
        narrow_vector=heard.narrow[number],
        speech_s=float(heard.speech_s[number]),
        audio_s=len(clip.samples) / 16000,
        snr_db=30.0,
        clip_ratio=0.0,
        consistency=0.8,
        narrow_band=bool(heard.narrow_band[number]),
    )


def _named(asked: Mapping[bool, Candidates], heard: Heard, number: int, means: Means) -> str:
    one = asked[bool(heard.narrow_band[number])]
    row = heard[slice(number, number + 1)]
    wide, narrow = less(row.vectors, means.wide)[0], telephoned(row, means)[0]
    scores = np.where(one.narrow_band, one.prints @ narrow, one.prints @ wide)
    return named(scores, one, speech_s=float(heard.speech_s[number]))[0]


def _without(asked: Candidates, speaker: str) -> Candidates:
    left = np.array([name != speaker for name in asked.ids])
    ids = tuple(name for name in asked.ids if name != speaker)
    return Candidates(ids, asked.prints[left], asked.narrow_band[left])
