"""Prints: one speaker is like themselves and unlike others, in the band both have; a print survives being stored."""

from functools import cache

import numpy as np
import pytest

from engine.voice import likeness
from engine.voice.fingerprint import SPARSE, seconds
from engine.voice.likeness import Print, compare, cut_print, from_bytes, known, make, shared, to_bytes
from engine.voice.recording import narrowed
from engine.voice.samples import floats
from engine.voice.speech import Span
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE, score
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
    assert np.array_equal(kept.recording, made.recording)
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
    assert shared(make(voice(), whole[5 * 16000 : 16 * 16000]).audio, first.recording).is_too_much
    little = shared(make(voice(), whole[8 * 16000 : 20 * 16000]).audio, first.recording)
    assert (round(little.seconds), little.is_too_much) == (4, False)
    assert shared(first.audio, one("2033").recording).seconds == 0.0
    assert likeness.shared(first.audio, first.recording).limit_s < 6.1


def test_a_sample_out_of_another_part_of_the_same_recording_is_a_copy() -> None:
    call = said("1688", seconds=50)
    spans = voice().speech(call)
    first = cut_print(voice(), call, spans, start_s=2, end_s=14)
    other = cut_print(voice(), call, spans, start_s=30, end_s=42)
    assert shared(other.audio, first.recording).is_too_much
    assert not shared(other.audio, make(voice(), call[: 14 * 16000]).recording).is_too_much


def test_the_print_of_a_cut_is_that_of_the_clip() -> None:
    call = (said("1688", seconds=40) * 32767).astype(np.int16)
    of_cut = cut_print(voice(), call, voice().speech(call), start_s=8, end_s=30)
    of_clip = make(voice(), floats(call[8 * 16000 : 30 * 16000]))
    assert score(of_cut.vector, of_clip.vector) > 0.98
    assert of_cut.speech_s == pytest.approx(of_clip.speech_s, abs=0.5)


def test_half_an_hour_around_the_sample_is_kept_of_a_long_recording() -> None:
    call = np.tile((said("1688", seconds=60) * 32767).astype(np.int16), 40)
    late = cut_print(voice(), call, (Span(0.0, 2400.0),), start_s=2380, end_s=2390)
    assert seconds(late.recording, every=SPARSE) == pytest.approx(1800, abs=0.1)
    assert shared(late.audio, late.recording).seconds == pytest.approx(10, abs=0.2)
    assert len(to_bytes(late)) < 100_000
