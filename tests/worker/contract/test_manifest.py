"""Manifests as people write them, and as nobody should: a bad row is named, and no text is a traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.fields import Stretch
from worker.contract.manifest import CSV, JSONL, kind_of, read, rows
from worker.contract.rows import BadRow, Row


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


@given(text=st.text(), kind=st.sampled_from([CSV, JSONL]))
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


def test_consent_is_said_by_words_or_not_at_all() -> None:
    text = "id,file,Consent,ref\na,a.wav,Yes,r 1\na,b.wav,NO,\na,c.wav,,\na,d.wav,perhaps,\n"
    first, second, third, bad = parsed(text)
    assert first == Row(line=2, source="a.wav", speaker_id="a", consent=True, ref="r 1")
    assert [one.consent for one in (second, third) if isinstance(one, Row)] == [False, None]
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.field) == (5, "consent")


def test_a_stretch_and_a_language_are_read_and_what_is_neither_is_named() -> None:
    text = "file,start,end,Language\na.wav,,,\nb.wav,01:30,,de_ch\nc.wav,10,5,\nd.wav,,soon,\ne.wav,,,English\n"
    plain, named, *bad = parsed(text)
    assert plain == Row(line=2, source="a.wav")
    assert named == Row(line=3, source="b.wav", stretch=Stretch(start_s=90.0), language="de-CH")
    assert [(one.line, one.field) for one in bad if isinstance(one, BadRow)] == [
        (4, "end"),
        (5, "end"),
        (6, "language"),
    ]


def test_a_row_told_again_is_the_same_row() -> None:
    text = (
        '{"id": "anna", "file": "a.wav", "channel": 1, "startS": 1.5, "end": 9, "lang": "en", "ref": 7, "consent": 1}'
    )
    (row,) = parsed(text, JSONL)
    assert isinstance(row, Row)
    assert row.stretch == Stretch(start_s=1.5, end_s=9.0)
    assert parsed(json.dumps(row.told(source=row.source)), JSONL) == [row]


def test_a_speaker_with_a_list_is_a_row_for_each_recording() -> None:
    assert parsed("id,recordings,ref\nanna,a.wav|b.wav , 7\n") == [
        Row(line=2, source="a.wav", speaker_id="anna", ref="7"),
        Row(line=2, source="b.wav", speaker_id="anna", ref="7"),
    ]
    text = '{"id": "anna", "channel": 0, "recordings": ["a.wav", {"File": "b.wav", "channel": 1}, 3]}\n'
    first, second, bad = parsed(text, JSONL)
    assert first == Row(line=1, source="a.wav", channel=0, speaker_id="anna")
    assert second == Row(line=1, source="b.wav", channel=1, speaker_id="anna")
    assert isinstance(bad, BadRow)


@pytest.mark.parametrize("more", [{"recordings": []}, {"recordings": 5}, {"recordings": ["a.wav"], "file": "b.wav"}])
def test_a_list_that_is_none_or_stands_beside_a_recording_is_a_bad_row(more: dict[str, object]) -> None:
    (bad,) = parsed(json.dumps({"id": "anna"} | more) + "\n", JSONL)
    assert isinstance(bad, BadRow)
    assert bad.field == "recordings"


_URI = "https://media.example.com/recording/9/content"
_CALLS: list[dict[str, object]] = [
    {"id": "c1", "sessionId": "1", "extension": {"id": 595}, "recording": {"id": "9", "contentUri": _URI}},
    {"id": "c2", "sessionId": "2", "extension": {"id": 595}},
    {
        "id": "c3",
        "sessionId": "3",
        "direction": "Outbound",
        "recording": {"contentUri": _URI},
        "from": {"extensionId": "77"},
        "to": {"extensionId": "88"},
    },
    {"id": "c4", "sessionId": "4", "to": {"extensionId": "88"}, "recording": {"contentUri": _URI}},
    {
        "id": "c5",
        "sessionId": "5",
        "recording": {"contentUri": _URI},
        "from": {"extensionId": "77"},
        "to": {"extensionId": "88"},
    },
]


@pytest.mark.parametrize("form", ["object", "array", "lines"])
def test_a_call_log_gives_a_row_for_each_call_with_a_recording(tmp_path: Path, form: str) -> None:
    log = tmp_path / "calls.json"
    match form:
        case "object":
            log.write_text(json.dumps({"uri": "x", "records": _CALLS, "paging": {}}, indent=1))
        case "array":
            log.write_bytes(b"\xef\xbb\xbf" + json.dumps(_CALLS).encode())
        case _:
            log.write_text("".join(json.dumps(call) + "\n" for call in _CALLS))
    *calls, bad = read(log)
    assert [(one.speaker_id, one.source, one.ref) for one in calls if isinstance(one, Row)] == [
        ("595", _URI, "c1"),
        ("77", _URI, "c3"),
        ("88", _URI, "c4"),
    ]
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.field) == (5, "speakerId")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", "{}", ".csv"),
        ("a.jsonl", "[", ".jsonl"),
        ("a", "file\na.wav\n", ".csv"),
        ("a", '\n{"file": "a.wav"}\n', ".jsonl"),
        ("a.json", '{"file": "a.wav"}\n{"file": "b.wav"}\n', ".jsonl"),
        ("a", '{\n"records": []}', ".json"),
        ("a", '{"records": []}', ".json"),
        ("a", "[]", ".json"),
        ("a.json", "", ".json"),
    ],
)
def test_the_kind_is_told_by_name_or_by_how_it_begins(tmp_path: Path, name: str, text: str, kind: str) -> None:
    (tmp_path / name).write_text(text)
    assert kind_of(tmp_path / name) == kind


@given(st.text() | st.binary())
def test_no_document_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    for row in read(path, kind=".json"):
        assert str(row)


def test_a_document_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"file": "a.wav"}, 5, {"file": ')
    good, bad, broken = read(tmp_path / "a.json")
    assert good == Row(line=1, source="a.wav")
    assert [str(one).partition(":")[0] for one in (bad, broken)] == ["record 2", "record 3"]


def test_many_levels_are_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"file": ' + "[" * 20_000 + "]" * 20_000 + "}]")
    for row in read(tmp_path / "a.json"):
        assert isinstance(row, BadRow)
