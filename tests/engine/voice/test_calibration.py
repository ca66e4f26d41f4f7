"""Thresholds from scores: what was asked for is what comes out, and a few false labels move it little."""

import numpy as np
import pytest

from engine.voice.calibration import FALSE_ALARMS, MISSES, Scores, search_threshold, speaker_threshold

RNG = np.random.default_rng(20)
STRANGERS = np.asarray(RNG.normal(0.0, 0.12, 20_000), np.float32)


@pytest.mark.parametrize("voices", [1, 10, 50])
def test_a_search_raises_as_many_false_alarms_as_asked_for(voices: int) -> None:
    threshold = search_threshold(STRANGERS, voices=voices, fixed=0.0)
    searches = RNG.normal(0.0, 0.12, (4_000_000 // voices, voices)).max(axis=1)
    assert (searches >= threshold).mean() == pytest.approx(FALSE_ALARMS, rel=0.35)


def test_more_voices_ask_for_more_likeness_and_never_for_less_than_the_fixed_one() -> None:
    thresholds = [search_threshold(STRANGERS, voices=voices, fixed=0.45) for voices in (1, 30, 1_000, 100_000)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] == 0.45
    assert thresholds[-1] > 0.6


def test_a_speaker_enrolled_twice_hardly_moves_it() -> None:
    spoilt = np.concatenate([STRANGERS, np.full(20, 0.9, np.float32)])
    clean, moved = (search_threshold(scores, voices=200, fixed=0.0) for scores in (STRANGERS, spoilt))
    assert abs(clean - moved) < 0.03


def genuine(*, over: float = -1.0, scatter: float = 0.06) -> Scores:
    scores = np.asarray(0.85 - RNG.exponential(scatter, 20_000), np.float32)
    return scores[scores >= over]


def test_so_many_genuine_samples_are_held() -> None:
    threshold = speaker_threshold(genuine(), fixed=0.5)
    assert 0.5 < threshold < 0.6
    assert (genuine() < threshold).mean() == pytest.approx(MISSES, rel=0.4)


def test_a_threshold_does_not_climb_on_its_own_rejections() -> None:
    """Only samples over it become genuine: drawn again and again from what passed, it stays where it was."""
    first = threshold = speaker_threshold(genuine(), fixed=0.5)
    for _ in range(20):
        threshold = speaker_threshold(genuine(over=threshold), fixed=0.5)
    assert abs(threshold - first) < 0.02


def test_a_scattered_voice_lowers_it_no_further_than_the_fixed_one() -> None:
    assert speaker_threshold(genuine(scatter=0.15), fixed=0.5) == 0.5


def test_a_very_steady_voice_raises_it_a_little_only() -> None:
    assert speaker_threshold(genuine(scatter=0.01), fixed=0.5) == pytest.approx(0.6)
