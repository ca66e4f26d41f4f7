"""Voiceprints and grades: what several samples add up to, and what caps them."""

import math
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.voice.preflight import Rules, inspect
from engine.voice.recording import decode
from engine.voice.voiceprint import (
    COMPLETE_FROM_S,
    SAME_SPEAKER_NARROW,
    SAME_SPEAKER_WIDE,
    SamplePrint,
    outliers,
    predicted_score,
    quality,
    score,
    voiceprint,
)
from tests.support.speech import load, readers, said, speakers, wav
from tests.support.voices import voice

CLEAN = SamplePrint(
    vector=np.ones(192, np.float32),
    speech_s=20.0,
    audio_s=24.0,
    snr_db=30.0,
    clip_ratio=0.0,
    consistency=0.80,
    narrow_band=False,
)
GRADES = ("Poor", "Average", "Good", "High")
VECTORS = (
    st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=8)
    .map(lambda row: np.array(row, np.float32))
    .filter(lambda row: bool(np.linalg.norm(row) > 0.1))
)
SAMPLES = st.builds(
    SamplePrint,
    vector=VECTORS,
    narrow_vector=VECTORS,
    speech_s=st.floats(0.5, 60),
    audio_s=st.just(60.0),
    snr_db=st.floats(-10, 60),
    clip_ratio=st.floats(0, 0.2),
    consistency=st.floats(0, 1),
    narrow_band=st.booleans(),
)


def people() -> list[str]:
    return list(readers())[:6]


@cache
def sample(speaker: str, number: int, *, rate_hz: int = 16000) -> SamplePrint:
    """One of a speaker's samples of 15 s, all of different utterances."""
    samples = said(speaker, seconds=60)[number * 15 * 16000 : (number + 1) * 15 * 16000]
    if rate_hz != 16000:
        samples = samples.reshape(-1, 16000 // rate_hz).mean(axis=1)
    return inspect(voice(), decode(wav(samples, rate_hz=rate_hz)), Rules())[1]


def enrolled(*samples: SamplePrint) -> str:
    return quality(samples, complete=sum(one.speech_s for one in samples) >= COMPLETE_FROM_S)


def test_clean_speakers_get_to_high_and_not_by_one_short_sample() -> None:
    grades = [enrolled(*(sample(speaker, number) for number in range(3))) for speaker in people()]
    assert grades.count("High") >= 5
    assert set(grades) <= {"High", "Good"}
    for speaker in people()[:3]:
        short = inspect(voice(), decode(wav(said(speaker, seconds=7))), Rules())[1]
        assert enrolled(short) in {"Poor", "Average"}


def test_a_strangers_sample_pulls_the_grade_down() -> None:
    first, second, *_ = people()
    own = [sample(first, number) for number in range(3)]
    assert predicted_score([*own, sample(second, 0)]) < predicted_score(own) - 0.1
    assert enrolled(*own, sample(second, 0)) in {"Poor", "Average"}


@pytest.mark.parametrize(
    ("change", "complete", "grade"),
    [
        ({}, True, "High"),
        ({}, False, "Average"),
        ({"narrow_band": True, "consistency": 0.99}, True, "Good"),
        ({"speech_s": 5.9}, False, "Poor"),
        ({"consistency": 0.3, "snr_db": 0.0}, True, "Poor"),
        ({"consistency": math.nan}, True, "Poor"),
    ],
)
def test_caps(change: dict[str, Any], complete: bool, grade: str) -> None:  # noqa: FBT001  a parameter
    assert quality([replace(CLEAN, **change)], complete=complete) == grade


def test_each_measure_moves_the_grade_its_way() -> None:
    best = predicted_score([CLEAN])
    changes: list[dict[str, Any]] = [
        {"speech_s": 8.0},
        {"snr_db": 5.0},
        {"consistency": 0.6},
        {"clip_ratio": 0.02},
        {"narrow_band": True},
        {"narrow_band": True, "line": True},
    ]
    for change in changes:
        worse = replace(CLEAN, **change)
        assert predicted_score([worse]) < predicted_score([CLEAN, worse]) <= best + 0.05


def test_a_voiceprint_is_the_mean_by_seconds_of_speech() -> None:
    centre = np.zeros(192, np.float32)
    a = replace(CLEAN, vector=np.eye(192, dtype=np.float32)[0] * 7, speech_s=30.0)
    b = replace(CLEAN, vector=np.eye(192, dtype=np.float32)[1], speech_s=10.0)
    found = voiceprint([a, b], centre)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert found[0] / found[1] == pytest.approx(3)
    np.testing.assert_allclose(found, voiceprint([b, a], centre))
    with pytest.raises(ValueError, match="at least one sample"):
        voiceprint([], centre)


def test_telephone_audio_is_known_by_the_narrow_band_print() -> None:
    wide, narrow = voice().centre(narrow_band=False), voice().centre(narrow_band=True)
    gains, strangers = [], []
    for speaker, other in zip(people(), [*people()[1:], people()[0]], strict=True):
        call = sample(speaker, 3, rate_hz=8000)
        assert call.narrow_band
        heard = voiceprint([call], narrow, narrow_band=True)
        matched = score(voiceprint([sample(speaker, 0)], narrow, narrow_band=True), heard)
        strangers.append(score(voiceprint([sample(other, 0)], narrow, narrow_band=True), heard))
        plain = score(voiceprint([sample(speaker, 0)], wide), voiceprint([call], wide))
        gains.append(matched - plain)
        assert matched > SAME_SPEAKER_NARROW
    assert np.mean(gains) > 0.05
    assert max(strangers) < SAME_SPEAKER_NARROW


def test_enrolled_voices_are_told_apart() -> None:
    centre = voice().centre(narrow_band=False)
    known = {name: voiceprint([sample(name, 0), sample(name, 1), sample(name, 2)], centre) for name in people()}
    for name in people():
        heard = voiceprint([sample(name, 3)], centre)
        scores = {other: score(known[other], heard) for other in known}
        assert max(scores, key=lambda other: scores[other]) == name
        assert [other for other, value in scores.items() if value >= SAME_SPEAKER_WIDE] == [name]


def test_other_peoples_voices_are_strangers_to_251() -> None:
    corpus = "librispeech-train-clean-100"
    centre = voice().centre(narrow_band=False)
    known = [voiceprint([sample(name, 0)], centre) for name in people()]
    crowd = [voice().embed(load(paths[0])) for paths in list(speakers(corpus).values())[::10]]
    prints = [voiceprint([replace(CLEAN, vector=vector)], centre) for vector in crowd]
    assert max(score(a, b) for a in known for b in prints) < SAME_SPEAKER_WIDE


@settings(max_examples=60, deadline=None)
@given(st.lists(SAMPLES, min_size=1, max_size=6), st.randoms(use_true_random=False), st.booleans())
def test_what_is_withdrawn_leaves_no_trace(samples: list[SamplePrint], rng: Random, narrow: bool) -> None:  # noqa: FBT001
    centre = np.full(8, 0.1, np.float32)
    before = voiceprint(samples, centre, narrow_band=narrow)
    shuffled = rng.sample(samples, len(samples))
    assert voiceprint(shuffled, centre, narrow_band=narrow).tobytes() == before.tobytes()
    with_one_more = [*shuffled, samples[0]]
    with_one_more.pop()
    assert voiceprint(with_one_more, centre, narrow_band=narrow).tobytes() == before.tobytes()


@settings(max_examples=100, deadline=None)
@given(SAMPLES, st.floats(0, 30), st.floats(0, 40), st.booleans())
def test_more_speech_and_less_noise_never_lower_the_grade(
    sample: SamplePrint,
    more_s: float,
    more_db: float,
    complete: bool,  # noqa: FBT001
) -> None:
    for better in (
        replace(sample, speech_s=sample.speech_s + more_s),
        replace(sample, snr_db=sample.snr_db + more_db),
        replace(sample, clip_ratio=sample.clip_ratio / 2),
    ):
        assert predicted_score([better]) >= predicted_score([sample]) - 1e-9
        assert GRADES.index(quality([better], complete=complete)) >= GRADES.index(quality([sample], complete=complete))


@settings(max_examples=100, deadline=None)
@given(SAMPLES, st.integers(1, 5))
def test_another_sample_as_good_that_agrees_never_lowers_the_grade(sample: SamplePrint, count: int) -> None:
    some = [sample] * count
    assert predicted_score([*some, sample]) >= predicted_score(some) - 1e-6
    assert GRADES.index(quality([*some, sample], complete=True)) >= GRADES.index(quality(some, complete=True))


def test_a_strangers_sample_is_found_among_three_and_of_two_nobody_can_say() -> None:
    first, second, *_ = people()
    wide, narrow = voice().centre(narrow_band=False), voice().centre(narrow_band=True)
    own = [sample(first, number) for number in range(3)]
    assert outliers(own, wide=wide, narrow=narrow) == ()
    assert outliers([own[0], sample(second, 0), own[1]], wide=wide, narrow=narrow) == (1,)
    assert outliers([own[0], sample(second, 0, rate_hz=8000), own[1], own[2]], wide=wide, narrow=narrow) == (1,)
    assert outliers([own[0], sample(second, 0)], wide=wide, narrow=narrow) == ()
    assert outliers([], wide=wide, narrow=narrow) == ()


def test_a_noisy_sample_weighs_less_than_a_clean_one_of_its_length() -> None:
    centre = np.zeros(192, np.float32)
    clean = replace(CLEAN, vector=np.eye(192, dtype=np.float32)[0])
    noisy = replace(CLEAN, vector=np.eye(192, dtype=np.float32)[1], snr_db=3.0, consistency=0.5)
    found = voiceprint([clean, noisy], centre)
    assert found[0] > 1.3 * found[1] > 0
