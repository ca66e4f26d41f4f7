"""Turns and overlap on real speech: two readers mixed, one after the other, one alone, and no speech at all."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.voice.segmentation import HOP_S, activity, chunks
from engine.voice.turns import STEP, Turns
from tests.support.speech import readers, said
from tests.support.voices import voice


def mixed(first: str, second: str, *, level_db: float) -> NDArray[np.float32]:
    """20 s of one reader, with another over 30 % of them."""
    sound, other = said(first, seconds=20), said(second, seconds=6)
    gain = np.sqrt(np.mean(sound**2) / np.mean(other**2)) * 10 ** (level_db / 20)
    sound[128000:224000] += np.float32(gain) * other
    return sound


def in_turn(first: str, second: str, *, turn_s: float, turns: int) -> NDArray[np.float32]:
    """Two readers, one after the other."""
    each = (turns + 1) // 2
    spoken = [np.array_split(said(name, seconds=turn_s * each), each) for name in (first, second)]
    return np.concatenate([spoken[turn % 2][turn // 2] for turn in range(turns)])


def numbers(found: Turns, start_s: float, end_s: float) -> set[int]:
    """Who talks alone at some time between."""
    return {run.local_speaker for run in found.runs if run.start_s < end_s and run.end_s > start_s}


@pytest.mark.parametrize("level_db", [0, -6])
def test_two_at_once_are_found(level_db: float) -> None:
    names = sorted(readers())
    for first, second in pairwise(names):
        found = voice().turns(mixed(first, second, level_db=level_db))
        assert found.overlap_share > 0.04, (first, second)
        assert all(span.start_s > 7.7 and span.end_s < 14.3 for span in found.overlaps if span.duration_s > 0.1)


def test_one_reader_alone_overlaps_with_nobody() -> None:
    for name in readers():
        found = voice().turns(said(name, seconds=20))
        assert found.overlap_share < 0.01
        assert sum(run.duration_s for run in found.runs) > 12


@pytest.mark.parametrize(("first", "second"), [("2033", "2414"), ("1998", "3005"), ("2414", "2609")])
def test_turns_change_where_the_readers_do(first: str, second: str) -> None:
    readers()
    found = voice().turns(in_turn(first, second, turn_s=4, turns=8))
    heard = [numbers(found, 4 * turn + 0.3, 4 * turn + 3.7) for turn in range(8)]
    assert [len(turn) for turn in heard] == [1] * 8
    assert heard == [heard[0], heard[1]] * 4  # and each keeps the number through seven chunks
    assert heard[0] != heard[1]


def test_silence_and_noise_are_nobody() -> None:
    noise = np.random.default_rng(2).standard_normal(20 * 16000).astype(np.float32)
    for sound in (0.1 * noise, 1e-4 * noise, 0 * noise, noise[:0], noise[:990], noise[:40000]):
        assert voice().turns(sound) == Turns((), ())


def test_short_sound_is_one_chunk() -> None:
    found = voice().turns(said("1998", seconds=3))
    assert {run.local_speaker for run in found.runs} == {0}
    assert sum(run.duration_s for run in found.runs) > 2
    assert found.runs[-1].end_s <= 3


def test_chunks_cover_a_recording_evenly() -> None:
    for count in (991, 100_000, 160_000, 160_269, 160_270, 240_000, 480_000, 28_800_000):
        firsts = chunks(count)
        assert firsts[0] == 0
        assert 0 <= count - min(count, 160_000) - firsts[-1] * STEP < STEP
        assert all(0 < after - before <= HOP_S * 16000 / STEP + 1 for before, after in pairwise(firsts))
    assert len(chunks(480_000)) == 5


def test_seven_classes_are_three_speakers() -> None:
    found = activity(np.log(np.eye(7, dtype=np.float32) + np.float32(0.01)))
    assert ["".join(str(n + 1) for n in np.flatnonzero(row)) for row in found] == ["", "1", "2", "3", "12", "13", "23"]
