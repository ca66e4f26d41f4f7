"""Which of the known voices each of some people is.

In: the speech of each, and the voiceprints of those who might be among them. Out: an id, or None for a stranger. Two
voices are compared in the narrower band of the two; a person is the one whose threshold is passed by most, unless the
next one comes so near that either might be meant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice.band import is_narrow_band
from engine.voice.embedding import MIN_S
from engine.voice.recording import narrowed
from engine.voice.samples import RATE_HZ
from engine.voice.voice import Voice
from engine.voice.voiceprint import (
    SAME_SPEAKER_NARROW,
    SAME_SPEAKER_WIDE,
    SamplePrint,
    Vector,
    centred,
    score,
    voiceprint,
)

_MARGIN = 0.05  # of the cosine, by which the best must lead

Known = Mapping[str, Sequence[SamplePrint]]


@dataclass(frozen=True, slots=True)
class _Print:
    speaker_id: str
    narrow_band: bool
    vector: Vector

    @property
    def threshold(self) -> float:
        return SAME_SPEAKER_NARROW if self.narrow_band else SAME_SPEAKER_WIDE


def named(voice: Voice, speech: Sequence[NDArray[np.float32]], known: Known, *, once: bool) -> list[str | None]:
    """Tell who is who.

    Args:
        voice: the models.
        speech: of each person, pauses cut out, 16 kHz.
        known: voiceprints by id.
        once: no id is given twice, the best match has it; else two who are the same known person get the same id.

    Returns:
        As many ids as there is speech; None for who is nobody known.
    """
    if not known:
        return [None] * len(speech)
    over = [_over(voice, one, known) for one in speech]
    names = [_best(one) for one in over]
    if once:
        for number, name in enumerate(names):
            rivals = [other for other, theirs in enumerate(names) if name is not None and theirs == name]
            if name is not None and number != max(rivals, key=lambda other: over[other][name]):
                names[number] = None
    return names


def _over(voice: Voice, speech: NDArray[np.float32], known: Known) -> dict[str, float]:
    """How far one voice is over the threshold of each known one."""
    if len(speech) < MIN_S * RATE_HZ:
        return {}
    narrow = is_narrow_band(speech)
    prints = [_print(voice, speaker_id, samples, narrow_band=narrow) for speaker_id, samples in known.items()]
    vectors: dict[bool, Vector] = {}
    for band in {one.narrow_band for one in prints}:
        heard = narrowed(speech) if band and not narrow else speech
        vectors[band] = centred(voice.embed(heard), voice.centre(narrow_band=band))
    return {one.speaker_id: score(one.vector, vectors[one.narrow_band]) - one.threshold for one in prints}


def _print(voice: Voice, speaker_id: str, samples: Sequence[SamplePrint], *, narrow_band: bool) -> _Print:
    band = narrow_band or any(one.narrow_band for one in samples)
    return _Print(speaker_id, band, voiceprint(samples, voice.centre(narrow_band=band), narrow_band=band))


def _best(over: Mapping[str, float]) -> str | None:
    ranked = sorted(over, key=lambda speaker_id: over[speaker_id], reverse=True)
    if not ranked or over[ranked[0]] < 0:
        return None
    leads = len(ranked) == 1 or over[ranked[0]] - over[ranked[1]] >= _MARGIN
    return ranked[0] if leads else None
