"""Manifests as people write them, and as nobody should: a bad row is named, and no text is a traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxroll.manifest import KINDS, BadRow, Row, read, rows


def parsed(text: str, kind: str = ".csv") -> list[Row | BadRow]:
    return list(rows(text.splitlines(keepends=True), kind=kind))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_have_any_order_case_and_separator(separator: str) -> None:
    lines = [["Speaker ID", "note", "FILE", "channel"], ["anna", "x", "a.wav", "1"], ["", "", "b.wav", ""], []]
    text = "\n".join(separator.join(line) for line in lines)
    assert parsed(text) == [
        Row(line=2, source="a.wav", channel=1, speaker_id="anna"),
        Row(line=3, source="b.wav"),
    ]


def test_a_column_alone_needs_no_separator_and_quotes_hold_what_they_hold() -> None:
    assert parsed('path\n"a, b\nc.wav"\nd.wav\n') == [Row(line=2, source="a, b\nc.wav"), Row(line=4, source="d.wav")]


def test_json_lines_are_the_same() -> None:
    text = '{"audio": "a.wav", "channel": 0, "enrollmentId": 7}\n\n{"URL": "http://x/y", "id": null}\n'
    assert parsed(text, ".jsonl") == [
        Row(line=1, source="a.wav", channel=0, speaker_id="7"),
        Row(line=3, source="http://x/y"),
    ]


def test_of_several_names_for_a_field_the_first_that_is_filled_in_counts() -> None:
    text = '{"id": "1", "speaker_id": "anna", "url": "http://x", "source": "", "file": "a.wav"}\n'
    assert parsed(text, ".jsonl") == [Row(line=1, source="a.wav", speaker_id="anna")]


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({}, "source"),
        ({"source": " "}, "source"),
        ({"source": ["a.wav"]}, "source"),
        ({"source": "a\0.wav"}, "source"),
        ({"source": "\ud800.wav"}, "source"),
        ({"source": "a.wav", "channel": -1}, "channel"),
        ({"source": "a.wav", "channel": 1.5}, "channel"),
        ({"source": "a.wav", "channel": True}, "channel"),
        ({"source": "a.wav", "id": "anna maria"}, "speakerId"),
        ({"source": "a.wav", "id": "a" * 10_000}, "speakerId"),
        ({"source": "a.wav", "id": {}}, "speakerId"),
        ([], ""),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_read(record: object, field: str) -> None:
    bad, good = parsed(f'{json.dumps(record)}\n{{"source": "b.wav"}}\n', ".jsonl")
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.field, good) == (1, field, Row(line=2, source="b.wav"))
    assert str(bad).startswith("line 1")
    assert len(str(bad)) < 200


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("file,channel\na, b.wav,1\n", 2, "3 fields"),
        ('file\n"a"b.wav\n', 2, "no CSV"),
        ('file\n"a.wav\n', 2, "no CSV"),
        ("a.wav\nb.wav\n", 1, "no column of this name"),
    ],
)
def test_what_is_no_csv_is_named(text: str, line: int, reason: str) -> None:
    bad = parsed(text)[0]
    assert isinstance(bad, BadRow)
    assert (bad.line, reason in bad.reason) == (line, True)


def test_a_file_may_have_a_mark_at_its_beginning_and_names_that_are_no_utf8(tmp_path: Path) -> None:
    manifest = tmp_path / "calls.csv"
    manifest.write_bytes(b"\xef\xbb\xbfsource\r\ncaf\xe9.wav\r\n")
    assert list(read(manifest)) == [Row(line=2, source="caf\udce9.wav")]


@given(text=st.text(), kind=st.sampled_from(sorted(KINDS)))
def test_no_text_is_a_traceback(text: str, kind: str) -> None:
    for row in parsed(text, kind):
        assert str(row)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["source", "File", "channel", "speaker_id", "id"]) | st.text(), _VALUES))
def test_any_object_is_a_row_or_a_bad_one(record: dict[str, object]) -> None:
    (row,) = parsed(json.dumps(record) + "\n", ".jsonl")
    if isinstance(row, Row):
        assert row.source
        row.source.encode("utf-8", "surrogateescape")


@given(st.lists(st.lists(st.text(), max_size=5), max_size=5))
def test_any_cells_under_a_header_are_rows_or_bad_ones(cells: list[list[str]]) -> None:
    text = "source,channel,id\n" + "\n".join(",".join(line) for line in cells)
    for row in parsed(text):
        assert isinstance(row, BadRow) or row.source
