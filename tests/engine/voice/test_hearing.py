"""Where windows lie: all of them in the speech of their stretch, and all of its speech in a window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.voice.hearing import WINDOW_S, Hearing
from engine.voice.speech import Span, speech_s, within
from engine.voice.talkers import others, talkers
from engine.voice.turns import Run, Turns
from tests.support.speech import said
from tests.support.voices import voice

_TALK = st.lists(st.tuples(st.floats(0.3, 20), st.floats(0.3, 5)), min_size=1, max_size=20)


def hearing(spans: list[Span], samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> Hearing:
    return Hearing(voice(), samples, spans, narrow_band=False)


def spoken(*parts: np.ndarray[tuple[int], np.dtype[np.float32]]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.asarray(np.rint(np.concatenate(parts) * 32767), np.int16)


@settings(max_examples=200, deadline=None)
@given(_TALK, st.floats(0, 60), st.floats(6, 24))
def test_windows_lie_in_the_speech_and_leave_none_out(
    talk: list[tuple[float, float]], start_s: float, length_s: float
) -> None:
    spans, at = [], 0.0
    for talks, pause in talk:
        spans.append(Span(at + pause, at + pause + talks))
        at += pause + talks
    stretch = Span(start_s, start_s + length_s)
    inside = [
        Span(one.start_s + start_s, one.end_s + start_s) for one in within(tuple(spans), start_s, start_s + length_s)
    ]
    heard = hearing(spans, np.zeros(0, np.int16))
    windows = heard.windows(stretch)
    if speech_s(tuple(inside)) < WINDOW_S - 0.001:
        assert not windows
    elif speech_s(tuple(inside)) > WINDOW_S + 0.001:
        places = [place for window in windows for place in heard.places(window)]
        for window in windows:
            assert speech_s(tuple(heard.places(window))) == pytest.approx(WINDOW_S, abs=0.002)
            first, *_, last = (*heard.places(window), heard.places(window)[-1])
            assert speech_s(within(tuple(inside), first.start_s, last.end_s)) == pytest.approx(WINDOW_S, abs=0.005)
        for one in inside:
            for time in np.arange(one.start_s + 0.01, one.end_s - 0.01, 0.1).tolist():
                assert any(place.start_s - 0.001 <= time <= place.end_s + 0.001 for place in places)


def test_a_stretch_is_heard_in_steps_that_end() -> None:
    heard = hearing([Span(0.5, 19.5)], spoken(said("1998", seconds=20)))
    at, steps = Span(1.0, 19.0), 0
    heard.look(closely=False)
    while heard.closer(at):
        steps += 1
    assert steps < 6
    assert heard.wholly(at)
    assert set(heard.windows(at)) <= set(heard.heard)
    assert not heard.wholly(at)
    assert heard.is_listened(Span(2.0, 18.0))
    assert not heard.is_listened(Span(2.0, 20.5))


def test_who_speaks_most_comes_first_and_the_other_is_found_where_he_speaks() -> None:
    sound = spoken(said("1688", seconds=20), said("2033", seconds=8), said("1688", seconds=20, skip=3))
    heard = hearing([Span(0.0, 48.0)], sound)
    heard.look(closely=False)
    people = talkers(heard)
    assert [round(one.share, 1) for one in people] == [0.8, 0.2]
    theirs = others(heard, people, people[0])
    assert speech_s(within(theirs, 20, 28)) > 6
    assert speech_s(theirs) < 10


def test_turns_are_cut_to_a_stretch() -> None:
    turns = Turns((Run(1.0, 3.0, 0), Run(4.0, 5.0, 1)), (Span(3.0, 4.0),)).later(10.0)
    assert turns.between(Span(12.0, 13.5)) == Turns((Run(12.0, 13.0, 0),), (Span(13.0, 13.5),))
    assert turns.overlap_share == pytest.approx(1 / 4)
