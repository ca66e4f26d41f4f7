"""Ratios and chances: they rise with the score, share what is there between candidates, and ask for more among many."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.voice.evidence import NARROW, WIDE, chances, ratios

SCORES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50)
SECONDS = st.floats(0.5, 60)


def of(scores: list[float], *, narrow: bool, speech_s: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = chances(np.array(scores, np.float32), narrow_band=np.full(len(scores), narrow), speech_s=speech_s)
    return np.asarray(found).reshape(len(scores))


@given(SCORES, SECONDS, st.booleans())
def test_chances_are_shared_and_leave_room_for_nobody(scores: list[float], speech_s: float, narrow: bool) -> None:  # noqa: FBT001
    found = of(scores, narrow=narrow, speech_s=speech_s)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-9
    assert found[int(np.argmax(scores))] == found.max()


@given(st.floats(-1, 0.9), st.floats(0.001, 0.1), SECONDS)
def test_a_higher_score_is_more_evidence_in_either_band(score: float, more: float, speech_s: float) -> None:
    both = np.array([score, score + more], np.float32)
    for scale in (WIDE, NARROW):
        low, high = scale.ratio(both, speech_s)
        assert high > low or both[0] == both[1]


def test_more_candidates_and_a_runner_up_ask_for_more() -> None:
    alone = of([0.65], narrow=False, speech_s=5)[0]
    among_many = of([0.65, *[0.0] * 49], narrow=False, speech_s=5)[0]
    with_a_double = of([0.65, 0.65], narrow=False, speech_s=5)
    assert alone > among_many > 0
    assert with_a_double.max() <= 0.5
    assert of([1.0], narrow=False, speech_s=5)[0] > 0.99
    assert of([0.0], narrow=True, speech_s=5)[0] < 0.01


def test_each_candidate_is_judged_in_the_band_it_is_compared_in() -> None:
    scores = np.array([0.6, 0.6], np.float32)
    wide, narrow = ratios(scores, narrow_band=np.array([False, True]), speech_s=5.0)
    assert wide == WIDE.ratio(scores, 5.0)[0]
    assert narrow == NARROW.ratio(scores, 5.0)[1]
