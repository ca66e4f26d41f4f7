"""The diarization error rate: cases worked by hand, and what must hold of any."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.der import Errors, Said, errors

TRUTH = [Said(0, 10, "ann"), Said(10, 16, "ben"), Said(15, 20, "ann")]  # 21 s, 1 s of it by two at once


def found(*said: tuple[float, float, str]) -> Errors:
    return errors(TRUTH, [Said(*one) for one in said], collar_s=0)


def test_the_truth_under_other_names_has_no_error() -> None:
    assert found((0, 10, "0"), (10, 16, "1"), (15, 20, "0")) == Errors(truth_s=21)


def test_one_for_all_confuses_who_speaks_less_and_misses_the_overlap() -> None:
    told = found((0, 20, "0"))
    assert told == Errors(truth_s=21, missed_s=1, confused_s=5)
    assert told.rate == pytest.approx(6 / 21)


def test_what_is_said_by_nobody_is_false() -> None:
    assert found((0, 10, "0"), (10, 16, "1"), (15, 23, "0"), (4, 6, "2")) == Errors(truth_s=21, false_s=5)


def test_a_speaker_split_in_two_is_confused_for_the_shorter_part() -> None:
    assert found((0, 6, "0"), (6, 10, "2"), (10, 16, "1"), (15, 20, "0")) == Errors(truth_s=21, confused_s=4)


def test_the_best_names_are_not_the_first_best() -> None:
    # taken greedily, "0" would be ann for 9 s and leave ben 1 s of "1"; the other way round 8 s and 8 s agree
    truth = [Said(0, 17, "ann"), Said(17, 26, "ben")]
    told = [Said(0, 9, "0"), Said(9, 17, "1"), Said(17, 25, "0"), Said(25, 26, "1")]
    assert errors(truth, told, collar_s=0) == Errors(truth_s=26, confused_s=10)


def test_nothing_found_is_missed_and_nothing_said_has_no_rate() -> None:
    assert found() == Errors(truth_s=21, missed_s=21)
    assert errors([], []).rate == 0
    assert errors([], [Said(0, 1, "0")]).rate == float("inf")


def test_the_collar_forgives_edges_and_overlap_can_be_left_out() -> None:
    late = [Said(0.2, 10.2, "0"), Said(10.2, 15.8, "1"), Said(15.2, 20.2, "0")]
    assert errors(TRUTH, late, collar_s=0).rate > 0.04
    told = errors(TRUTH, late)
    assert told.rate == 0
    assert told.truth_s == pytest.approx(21 - 0.25 - 2 * 0.25 - 3 * 0.5 - 0.25)  # both edges of the overlap count twice
    alone = errors(TRUTH, late, overlap=False)
    assert alone.truth_s == pytest.approx(told.truth_s - 2 * 0.5)


_SAID = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20), st.sampled_from("abc")).map(
        lambda one: Said(one[0], one[0] + one[1], one[2])
    ),
    max_size=8,
)


@given(_SAID, _SAID)
def test_other_names_change_nothing(truth: list[Said], told: list[Said]) -> None:
    first = errors(truth, told)
    for names in permutations("xyz"):
        renamed = [Said(one.start_s, one.end_s, names["abc".index(one.speaker)]) for one in told]
        other = errors(truth, renamed)
        assert other.confused_s == pytest.approx(first.confused_s)
        assert (other.truth_s, other.missed_s, other.false_s) == pytest.approx(
            (first.truth_s, first.missed_s, first.false_s)
        )


@given(_SAID)
def test_the_truth_has_no_errors(truth: list[Said]) -> None:
    for overlap in (True, False):
        assert errors(truth, truth, overlap=overlap).rate == 0
