"""A manifest: recordings named row by row, in a CSV file with a header or in JSON lines.

In: lines of text. Out: rows, and bad rows named by line, field and reason; one bad row stops none of the others, and
no text is an error of ours. Names of fields are read in any case, with or without `_`, `-` and spaces; of several names
for one field the first that is filled in counts. No file is opened here but the manifest.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from voxroll.failure import CommandError
from voxroll.grouping import check_id

KINDS = frozenset({".csv", ".jsonl"})

_NAMES = {
    "source": ("source", "file", "path", "url", "recording", "audio"),
    "channel": ("channel",),
    "speakerId": ("speakerid", "enrollmentid", "id"),
}
_KNOWN = frozenset(name for names in _NAMES.values() for name in names)
_LINE = 1 << 20  # characters; a file without line ends is no manifest, and must not fill the memory
_CHANNEL = re.compile(r"[0-9]{1,3}")
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that can be read.

    Attributes:
        line: of the manifest it begins on, from 1.
        source: path or address of a recording.
        channel: the speaker is on, from 0; None where the manifest doesn't say.
        speaker_id: whose voice it is; None likewise.
    """

    line: int
    source: str
    channel: int | None = None
    speaker_id: str | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't: on which line, which field (empty: the row as a whole), and what is wrong with it."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        """Tell people."""
        return f"line {self.line}{', ' if self.field else ''}{self.field}: {self.reason}"


class _FieldError(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def read(path: Path) -> Iterator[Row | BadRow]:
    """The rows of a manifest, one at a time; bytes that are no UTF-8 stay what they are, for paths may hold them.

    Raises:
        OSError: it can't be read.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = iter(lambda: file.readline(_LINE), "")
        yield from rows(lines, kind=path.suffix.lower())


def rows(lines: Iterable[str], *, kind: str) -> Iterator[Row | BadRow]:
    """Rows of the lines of a manifest, whose kind is one of `KINDS`; blank lines are none."""
    records = _csv(lines) if kind == ".csv" else _jsonl(lines)
    for line, record in records:
        if isinstance(record, BadRow):
            yield record
            continue
        try:
            yield _row(line, record)
        except _FieldError as error:
            yield BadRow(line, error.field, error.reason)


def _csv(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    """Records of a CSV file: separated by comma, semicolon or tab, whichever the header has most of."""
    stream = iter(lines)
    header = next(stream, "")
    most = max(",;\t", key=header.count)
    reader = csv.reader(chain([header], stream), delimiter=most, strict=True)
    columns: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, BadRow(line, "", f"no CSV ({error}); put text with quotes or line ends in quotes")
            continue
        if columns is None:
            columns = [_name(cell) for cell in cells]
            if not _KNOWN.intersection(columns):
                expected = ", ".join(_NAMES["source"])
                yield line, BadRow(line, "source", f"no column of this name ({expected} will do); name it in a header")
                return
        elif len(cells) > len(columns):
            many = f"{len(cells)} fields, the header has {len(columns)}; put text with separators in quotes"
            yield line, BadRow(line, "", many)
        elif any(cells):
            yield line, dict(zip(columns, cells, strict=False))


def _jsonl(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield line, BadRow(line, "", f"no JSON ({str(error).partition(':')[0]}); write one object a line")
            continue
        if isinstance(record, dict):
            yield line, {_name(key): value for key, value in record.items()}
        else:
            yield line, BadRow(line, "", "no JSON object; write one a line, with a `source`")


def _name(text: str) -> str:
    return re.sub(r"[\s_-]", "", text).casefold()


def _row(line: int, record: Mapping[str, Any]) -> Row:
    return Row(
        line=line,
        source=_source(_found(record, "source")),
        channel=_channel(_found(record, "channel")),
        speaker_id=_speaker_id(_found(record, "speakerId")),
    )


def _found(record: Mapping[str, Any], field: str) -> Any:
    """What a record says of a field under any of its names; empty text is nothing."""
    values = (record.get(name) for name in _NAMES[field])
    stripped = (value.strip() if isinstance(value, str) else value for value in values)
    return next((value for value in stripped if value is not None and value != ""), None)


def _source(value: Any) -> str:
    if value is None:
        raise _FieldError("source", "names no recording; give a path")
    if not isinstance(value, str):
        raise _FieldError("source", f"{_short(value)} is no text; give a path")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _FieldError("source", f"{_short(value)} holds half a character; write the name anew") from error
    if "\0" in value:
        raise _FieldError("source", f"{_short(value)} holds a NUL, which no path has; write the name anew")
    return value


def _channel(value: Any) -> int | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not _CHANNEL.fullmatch(text):
        raise _FieldError("channel", f"{_short(value)} is no channel; give its number from 0, or nothing")
    return int(text)


def _speaker_id(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _FieldError("speakerId", f"{_short(value)} is no text; give an id")
    try:
        check_id(str(value))
    except CommandError as error:
        reason = error.message if len(str(value)) <= _SHOWN else f"{_short(value)} is no id"
        raise _FieldError("speakerId", reason) from error
    return str(value)


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
