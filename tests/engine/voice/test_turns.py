"""Chunks are put together whatever numbers each gives to its speakers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.voice.speech import Span
from engine.voice.turns import STEP_S, Run, Turns, stitched

FRAMES = 100
FIRST_S = 0.02253125


def chunked(line: NDArray[np.bool_], *, hop: int, orders: list[list[int]]) -> Turns:
    """Cut (frames, 3) into chunks, exchange the speakers of each, and put them together again."""
    firsts = np.arange(0, len(line) - FRAMES + 1, hop)
    chunks = [line[first : first + FRAMES][:, orders[k % len(orders)]] for k, first in enumerate(firsts.tolist())]
    return stitched(np.stack(chunks), firsts)


def stretch(start: int, end: int) -> tuple[float, float]:
    return FIRST_S + STEP_S * start, FIRST_S + STEP_S * end


def test_a_run_goes_on_across_chunks() -> None:
    line = np.zeros((300, 3), np.bool_)
    line[20:130, 0] = True
    line[120:280, 1] = True
    found = chunked(line, hop=50, orders=[[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    assert found.runs == (Run(*stretch(20, 120), 0), Run(*stretch(130, 280), 1))
    assert found.overlaps == (Span(*stretch(120, 130)),)
    assert found.overlap_s == pytest.approx(10 * STEP_S)
    assert found.overlap_share == pytest.approx(10 / 260)


def test_a_pause_keeps_runs_apart_and_the_number_while_a_chunk_bridges_it() -> None:
    line = np.zeros((200, 3), np.bool_)
    line[10:60, 2] = line[90:190, 2] = True
    first, second = chunked(line, hop=50, orders=[[0, 1, 2], [2, 1, 0]]).runs
    assert first.local_speaker == second.local_speaker == 0
    assert (second.start_s - first.end_s) == pytest.approx(30 * STEP_S)
    assert second.duration_s == pytest.approx(100 * STEP_S)


def test_who_is_not_heard_in_both_chunks_gets_a_new_number() -> None:
    line = np.zeros((200, 3), np.bool_)
    line[10:40, 0] = line[160:190, 0] = True
    assert [run.local_speaker for run in chunked(line, hop=50, orders=[[0, 1, 2]]).runs] == [0, 1]
    click = np.zeros((150, 3), np.bool_)
    click[90:100, 0] = True  # ten frames in both are no ground for a match
    assert len({run.local_speaker for run in chunked(click, hop=50, orders=[[0, 1, 2]]).runs}) == 1
    split = np.zeros((2, FRAMES, 3), np.bool_)
    split[0, 50:, 0] = True
    split[1, :25, 0] = split[1, 25:50, 1] = split[1, 50:, 1] = True  # the second chunk hears two where one was heard
    assert len({run.local_speaker for run in stitched(split, np.array([0, 50])).runs}) >= 2


def test_any_numbering_gives_the_same_turns() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        line = np.zeros((500, 3), np.bool_)
        for start in range(0, 500, 5):
            line[start : start + 5, random.integers(3, size=random.integers(1, 3))] = True
        orders = [random.permutation(3).tolist() for _ in range(9)]
        mixed, plain = chunked(line, hop=50, orders=orders), chunked(line, hop=50, orders=[[0, 1, 2]])
        assert mixed.overlaps == plain.overlaps
        where = [(run.start_s, run.end_s) for run in mixed.runs]
        assert where == [(run.start_s, run.end_s) for run in plain.runs]
        pairs = {(a.local_speaker, b.local_speaker) for a, b in zip(mixed.runs, plain.runs, strict=True)}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_nothing_gives_nothing() -> None:
    nothing = stitched(np.zeros((0, 0, 3), np.bool_), np.zeros(0, np.int64))
    assert nothing == Turns((), ())
    assert nothing.overlap_share == 0
    assert stitched(np.zeros((2, FRAMES, 3), np.bool_), np.array([0, 50])) == Turns((), ())
