"""Is a call known again when it is handed in once more, re-encoded, begun later and at another level?

The sample that preflight chooses in the copy is laid over what was kept of the first recording, as before a submission.
The counter-test is another call of the same two people, of whom no utterance is in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.voice.fingerprint import SPARSE, fingerprint
from engine.voice.likeness import shared
from engine.voice.preflight import Found, Rules, mine
from engine.voice.recording import decode
from tests.support import corpus
from tests.support.corpus import Call, Talker
from tests.support.voices import voice

_CODECS = ("mp3 8 kHz", "mp3", "opus", "telephone")
_PLENTY = 40  # utterances of a talker, for two calls that have none in common
_LATER_S, _GAIN_DB = (0.3, 20.0), (-12.0, 3.0)


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one call: whether its copy and another call were taken for it; None if they gave no sample."""

    codec: str
    is_one_channel: bool
    copy: bool | None
    other: bool | None


def heard(number: int) -> Heard:
    """Judge the copy of one call, and another call."""
    codec, is_one = _CODECS[number % len(_CODECS)], number % 3 == 0
    first, other = (_call(number, half, channels=1 if is_one else 2) for half in (0, 1))
    kept = fingerprint(_mined(first.wav()).recording.samples, every=SPARSE)

    def is_taken(data: bytes) -> bool | None:
        found = _mined(data)
        stretch = next(((one.start_s, one.end_s) for one in found.windows), None)
        return shared(fingerprint(found.recording.between(*stretch)), kept).is_too_much if stretch else None

    return Heard(codec, is_one, is_taken(_changed(first, codec, number)), is_taken(_changed(other, codec, number)))


def _call(number: int, half: int, *, channels: int) -> Call:
    plenty = [talker for talker in corpus.talkers() if len(talker.utterances) >= _PLENTY]
    at = number % len(plenty)
    a, b = plenty[at], plenty[(at + 1 + number // len(plenty) % (len(plenty) - 1)) % len(plenty)]
    rng = np.random.default_rng([number, half])
    return corpus.conversation(f"{number}", _half(a, half), _half(b, half), rng, channels=channels)


def _half(talker: Talker, half: int) -> Talker:
    return replace(talker, utterances=talker.utterances[half::2])


def _changed(call: Call, codec: str, number: int) -> bytes:
    rng = np.random.default_rng(number)
    begin, gain = round(rng.uniform(*_LATER_S) * call.rate_hz), np.float32(10 ** (rng.uniform(*_GAIN_DB) / 20))
    return corpus.through([np.clip(one[begin:] * gain, -1, 1) for one in call.channels], codec)


def _mined(data: bytes) -> Found:
    return mine(voice(), lambda channel: decode(data, channel=channel), Rules())


def counted(found: Sequence[Heard]) -> tuple[tuple[int, int], tuple[int, int]]:
    """How many copies were known again, of how many; how many other calls were taken for copies, of how many."""
    copies = [one.copy for one in found if one.copy is not None]
    others = [one.other for one in found if one.other is not None]
    return (sum(copies), len(copies)), (sum(others), len(others))
