"""Who has agreed, by a file: days, times, a withdrawal, and lines that nobody can read."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.consent import agreed

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def given_by(text: str, kind: str = ".csv") -> frozenset[str]:
    return agreed(text.splitlines(keepends=True), kind=kind, at=NOW).given


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("anna,yes,,", True),
        ("anna,no,,", False),
        ("anna,,,", False),
        ("anna,yes,2026-11-21,2026-11-21", True),
        ("anna,yes,2026-11-22,", False),
        ("anna,yes,,2026-11-20", False),
        ("anna,yes,,9999-12-31", True),
        ("anna,yes,2026-11-21T13:00:00+02:00,", True),
        ("anna,yes,2026-11-21T12:00:01Z,", False),
        ("anna,yes,soon,", False),
        ("anna,yes,,0000-00-00", False),
        (",yes,,", False),
    ],
)
def test_one_has_agreed_within_its_time(line: str, *, holds: bool) -> None:
    assert given_by(f"Speaker ID,consent,from,to\n{line}\n") == (frozenset({"anna"}) if holds else frozenset())


def test_a_no_that_holds_outweighs_and_one_that_is_over_does_not() -> None:
    text = "id,consent,from,until\nanna,yes,,\nanna,no,,\nben,no,,2026-01-01\nben,yes,,\nclara,no,,\nclara,yes,,\n"
    assert given_by(text) == {"ben"}


def test_json_lines_are_the_same_and_bad_lines_are_named() -> None:
    lines = ['{"id": 7, "consent": true, "to": null}\n', "[]\n", '{"id": "a", "consent": "yes", "from": []}\n']
    found = agreed(lines, kind=".jsonl", at=NOW)
    assert found.given == {"7"}
    assert [str(one).partition(":")[0] for one in found.bad] == ["line 2", "line 3, from"]


@given(text=st.text(), kind=st.sampled_from([".csv", ".jsonl"]))
def test_no_text_is_a_traceback(text: str, kind: str) -> None:
    for one in agreed(["id,consent,from,to\n", *text.splitlines(keepends=True)], kind=kind, at=NOW).bad:
        assert str(one)
