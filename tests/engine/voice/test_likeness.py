"""Prints: one speaker is like themselves and unlike others, in the band both have; a print survives being stored."""

from functools import cache

import numpy as np

from engine.voice import likeness
from engine.voice.likeness import Print, compare, from_bytes, known, make, shared, to_bytes
from engine.voice.recording import narrowed
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE
from tests.support.speech import said, speakers
from tests.support.voices import voice


@cache
def one(speaker: str, *, skip: int = 0, narrow: bool = False, seconds: float = 9.0) -> Print:
    samples = said(speaker, seconds=seconds, skip=skip)
    return make(voice(), narrowed(samples) if narrow else samples)


def test_a_print_is_the_same_after_it_was_stored() -> None:
    made = one("1688")
    blob = to_bytes(made)
    kept = from_bytes(blob)
    assert kept is not None
    assert np.array_equal(kept.vector, made.vector)
    assert np.array_equal(kept.narrow_vector, made.narrow_vector)
    assert np.array_equal(kept.audio, made.audio)
    assert (kept.narrow_band, kept.speech_s, kept.model) == (made.narrow_band, made.speech_s, made.model)
    assert len(blob) < 8_000


def test_what_is_no_print_is_none() -> None:
    blob = to_bytes(one("1688"))
    for spoilt in (b"", b"no print", blob[: len(blob) // 2], blob.replace(b"facts", b"fakts")):
        assert from_bytes(spoilt) is None


def test_a_speaker_is_like_themselves_and_unlike_all_others_in_either_band() -> None:
    names = list(speakers())[:4]
    for name in names:
        voice_of = known([one(name), one(name, skip=4)])
        by_phone = known([one(name, narrow=True)])
        assert voice_of is not None
        assert by_phone is not None
        for other in names:
            for narrow in (False, True):
                new = one(other, skip=7, narrow=narrow, seconds=6.5)
                found, phoned = compare(voice(), new, voice_of), compare(voice(), new, by_phone)
                assert (found.narrow_band, phoned.narrow_band) == (narrow, True)
                limit = SAME_SPEAKER_NARROW if narrow else SAME_SPEAKER_WIDE
                assert (found.score >= limit) == (other == name)
                assert (phoned.score >= SAME_SPEAKER_NARROW) == (other == name)


def test_longer_speech_weighs_more() -> None:
    first, second = one("1688", seconds=12), one("2033", seconds=6.5)
    both = known([first, second])
    assert both is not None
    assert (both.samples, both.speech_s) == (2, first.speech_s + second.speech_s)
    scores = [compare(voice(), sample, both).score for sample in (first, second)]
    assert scores[0] > scores[1]
    assert known([]) is None


def test_only_a_good_part_of_the_same_audio_makes_a_copy() -> None:
    whole = said("1688", seconds=30)
    first = make(voice(), whole[: 12 * 16000])
    assert shared(first, make(voice(), whole[5 * 16000 : 16 * 16000])).is_too_much
    little = shared(first, make(voice(), whole[8 * 16000 : 20 * 16000]))
    assert (round(little.seconds), little.is_too_much) == (4, False)
    assert shared(first, one("2033")).seconds == 0.0
    assert likeness.shared(first, first).limit_s < 6.1
