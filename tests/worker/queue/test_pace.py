"""How much is claimed ahead: as much as begins within a moment, and nothing behind long jobs."""

from hypothesis import given
from hypothesis import strategies as st

from worker.queue.pace import Pace


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def ahead_after(*, slots: int, job_s: float, for_s: float) -> int:
    """What is claimed ahead by a worker whose slots are always taken by jobs of one length, right after some ended."""
    clock = Clock()
    pace = Pace(clock)
    while clock.now_s < for_s:
        clock.now_s += job_s
        for _ in range(slots):
            pace.ended()
        pace.ahead()
    return pace.ahead()


def test_so_much_as_begins_in_a_twentieth_of_a_second() -> None:
    assert ahead_after(slots=100, job_s=0.05, for_s=3) in range(95, 101)
    assert ahead_after(slots=100, job_s=1, for_s=10) in range(5, 6)
    assert ahead_after(slots=500, job_s=0.001, for_s=3) > 20_000
    assert ahead_after(slots=50, job_s=60, for_s=600) == 0


def test_nothing_before_the_first_end_and_nothing_while_none_ends() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.ahead() == 0
    clock.now_s = 0.01
    for _ in range(100):
        pace.ended()
    assert pace.ahead() == 100
    clock.now_s += 0.3
    assert pace.ahead() == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 50)), max_size=60))
def test_never_more_than_ended_lately(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    pace, ends = Pace(clock), list[float]()
    for wait_s, count in steps:
        clock.now_s += wait_s
        for _ in range(count):
            pace.ended()
            ends.append(clock.now_s)
        assert 0 <= pace.ahead() <= len(ends)
