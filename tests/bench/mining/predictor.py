"""Does the grade of an enrollment foretell how surely its speaker is known again?

One sample of each talker under each condition is enrolled, and verified with clean speech of the same talker that was
held out. The predictor was fitted on other sets (see `voiceprint.predicted_score`); nothing is fitted here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.voice.likeness import Print, compare, known, make
from engine.voice.preflight import Rules, inspect
from engine.voice.recording import decode
from engine.voice.samples import RATE_HZ, floats
from engine.voice.voiceprint import COMPLETE_FROM_S, Quality, predicted_score, quality
from tests.bench.voice.sounds import telephone_band
from tests.support import corpus
from tests.support.corpus import Samples
from tests.support.speech import wav
from tests.support.voices import voice

GRADES: tuple[Quality, ...] = ("Poor", "Average", "Good", "High")
CUTS = (0.5, 0.6, 0.7)  # of the score with held-out speech; under the first the speaker is missed
_RULES = Rules(min_s=1.0, min_speech_s=1.0)

Spoil = Callable[[Samples, np.random.Generator], Samples]


@dataclass(frozen=True, slots=True)
class Foretold:
    """One sample: what was foretold of it, and the mean score that it had."""

    predicted: float
    grade: Quality
    score: float


def _noise(db: float) -> Spoil:
    def spoil(samples: Samples, rng: np.random.Generator) -> Samples:
        return samples + np.float32(10 ** (-(24 + db) / 20)) * corpus.pink(len(samples), rng)

    return spoil


def _louder(db: float) -> Spoil:
    return lambda samples, _rng: np.asarray(np.clip(samples * 10 ** (db / 20), -1, 1), np.float32)


def _by_line(samples: Samples, _rng: np.random.Generator) -> Samples:
    return telephone_band(samples)


def _as_it_is(samples: Samples, _rng: np.random.Generator) -> Samples:
    return samples


CONDITIONS: tuple[tuple[float, str, Spoil], ...] = (  # seconds, codec, what is done before
    *((seconds, "wide", _as_it_is) for seconds in (3.0, 5.0, 8.0, 14.0, 22.0)),
    *((seconds, "telephone", _as_it_is) for seconds in (5.0, 14.0, 22.0)),
    *((14.0, codec, _as_it_is) for codec in ("mp3 8 kHz", "amr", "opus")),
    *((14.0, "wide", _noise(db)) for db in (20.0, 10.0, 3.0)),
    *((14.0, "wide", _louder(db)) for db in (12.0, 24.0)),
    (14.0, "telephone", _noise(8.0)),
    *((seconds, "telephone", _by_line) for seconds in (14.0, 22.0)),
)


def foretold(talker_number: int) -> list[Foretold]:
    """Every condition for one talker."""
    talker = corpus.talkers()[talker_number]
    tests = [make(voice(), one) for one in talker.held_out]
    return [_one(sound, tests) for sound in _sounds(talker, np.random.default_rng(talker_number))]


def _sounds(talker: corpus.Talker, rng: np.random.Generator) -> Iterator[bytes]:
    for seconds, codec, spoil in CONDITIONS:
        order = rng.permutation(len(talker.utterances))
        whole = np.concatenate([talker.utterances[k] for k in order[:4]])[: round(seconds * RATE_HZ)]
        sound = np.clip(spoil(whole, rng), -1, 1).astype(np.float32)
        yield wav(sound) if codec == "wide" else corpus.through([sound], codec)


def _one(data: bytes, tests: Sequence[Print]) -> Foretold:
    recording = decode(data)
    _, print_ = inspect(voice(), recording, _RULES)
    enrolled = known([make(voice(), floats(recording.samples))])
    if enrolled is None:
        raise AssertionError("one print makes a voice")
    scores = [compare(voice(), test, enrolled).score for test in tests]
    grade = quality([print_], complete=print_.speech_s >= COMPLETE_FROM_S)
    return Foretold(predicted_score([print_]), grade, float(np.mean(scores)))


def rank_correlation(pairs: Iterable[tuple[float, float]]) -> float:
    """Spearman's, without ties."""
    a, b = (np.argsort(np.argsort(values)) for values in np.array(list(pairs)).T)
    return float(np.corrcoef(a, b)[0, 1])


def confusion(found: Sequence[Foretold]) -> list[list[int]]:
    """Samples by grade (rows) and by the score they had (columns, cut at `CUTS`)."""
    table = [[0] * (len(CUTS) + 1) for _ in GRADES]
    for one in found:
        table[GRADES.index(one.grade)][int(np.searchsorted(CUTS, one.score, side="right"))] += 1
    return table
