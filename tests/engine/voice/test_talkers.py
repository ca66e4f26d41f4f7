"""Grouping of voices: by arithmetic alone, so the arithmetic is what is held."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.voice import likeness
from engine.voice.recording import narrowed
from engine.voice.speech import Span, merged, without
from engine.voice.talkers import Talker, grouped, meant
from tests.support.speech import said, speakers
from tests.support.voices import voice


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 1000))
def test_voices_far_apart_are_told_apart_in_any_order(people: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.eye(8)[people] + 0.1 * rng.standard_normal((len(people), 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    groups = grouped(vectors, alike=0.5)
    assert len(set(groups)) == len(set(people))
    assert len(set(zip(people, groups, strict=True))) == len(set(people))
    assert set(groups) == set(range(len(set(people))))


def test_average_linkage_by_hand() -> None:
    angles = np.radians([0, 30, 75, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    # cos 30 = 0.87 joins the first two; the third is at (cos 75 + cos 45) / 2 = 0.48 on average
    assert grouped(vectors, alike=0.5) == [0, 0, 1, 2]
    assert grouped(vectors, alike=0.47) == [0, 0, 0, 1]


@pytest.mark.parametrize("who", [0, 1])
def test_a_voice_known_by_telephone_alone_is_known_in_full_band(who: int) -> None:
    readers = list(speakers())[:2]
    found = [Talker(voice().embed(said(reader, seconds=12)), (0.0,), 0.5) for reader in readers]
    known = likeness.known([likeness.make(voice(), narrowed(said(readers[who], seconds=12, skip=3)))])
    assert known
    assert known.wide is None
    assert meant(voice(), found, known, narrow_band=False) is found[who]


_SPANS = st.lists(st.tuples(st.floats(0, 50), st.floats(0.3, 9)), max_size=12).map(
    lambda pairs: merged(Span(start, start + length) for start, length in pairs)
)


@settings(max_examples=200)
@given(_SPANS, _SPANS)
def test_what_is_cut_out_of_spans_is_gone_and_nothing_else(found: tuple[Span, ...], others: tuple[Span, ...]) -> None:
    left = without(found, others, least_s=0.0)
    for time in np.arange(0, 60, 0.1).tolist():
        inside, cut, kept = (any(span.start_s < time < span.end_s for span in spans) for spans in (found, others, left))
        if kept:
            assert inside
            assert not cut
        edges = {edge for span in (*found, *others) for edge in (span.start_s, span.end_s)}
        if inside and not cut and min(abs(time - edge) for edge in edges) > 1e-6:
            assert kept
