"""A manifest: recordings named row by row, in a CSV file with a header, in JSON lines, or in a JSON document.

In: a file, or lines of text. Out: rows, and bad rows named by line, field and reason; one bad row stops none of the
others, and no text is an error of ours. It is read as a stream, however long it is. No file is opened here but the
manifest.
"""

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any

import ijson
from ijson.common import JSONError

from worker.contract.rows import KNOWN, SOURCES, BadRow, Row, name_of, rows_of

CSV, JSONL, JSON = ".csv", ".jsonl", ".json"
KINDS = frozenset({CSV, JSONL, JSON})

_HEAD = 256  # bytes, of which the first that is no space says what a JSON document is
_LINE = 1 << 20  # characters; a file without line ends is no manifest, and must not fill the memory
_NO_ROWS = "no JSON array, and no object with `records`; give one of them, or one object a line"


def read(path: Path, *, kind: str = "") -> Iterator[Row | BadRow]:
    """The rows of a manifest, one at a time; bytes that are no UTF-8 stay what they are, for paths may hold them.

    Args:
        path: of the file.
        kind: one of `KINDS`; told from the file without it.

    Raises:
        OSError: it can't be read.
    """
    kind = kind or kind_of(path)
    if kind == JSON:
        with path.open("rb") as content:
            yield from _document(content)
        return
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield from rows(_lines(file), kind=kind)


def kind_of(path: Path, *, name: str = "") -> str:
    """Which of `KINDS` a file is: by its name, or the one it had, and where that leaves it open by how it begins."""
    suffix = Path(name or path).suffix.lower()
    if suffix in {CSV, JSONL}:
        return suffix
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        begins = next((line for line in _lines(file) if line.strip()), "")
    if not begins.lstrip().startswith(("{", "[")):
        return JSON if suffix == JSON else CSV
    try:
        first = json.loads(begins)
    except (ValueError, RecursionError):
        return JSON
    return JSONL if isinstance(first, dict) and not isinstance(first.get("records"), list) else JSON


def rows(lines: Iterable[str], *, kind: str) -> Iterator[Row | BadRow]:
    """Rows of the lines of a manifest, CSV or JSON lines; blank lines are none."""
    for line, record in records(lines, kind=kind):
        if isinstance(record, BadRow):
            yield record
        else:
            yield from rows_of(line, record)


def records(lines: Iterable[str], *, kind: str) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    """What the lines of a file say, CSV or JSON lines, by names as `rows.name_of` makes them, with their numbers."""
    yield from _csv(lines) if kind == CSV else _jsonl(lines)


def _lines(file: IO[str]) -> Iterator[str]:
    return iter(lambda: file.readline(_LINE), "")


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
            columns = [name_of(cell) for cell in cells]
            if not KNOWN.intersection(columns):
                expected = ", ".join(SOURCES)
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
            yield line, _named(record)
        else:
            yield line, BadRow(line, "", "no JSON object; write one a line, with a `source`")


def _document(content: IO[bytes]) -> Iterator[Row | BadRow]:
    """Rows of an array of records, or of `records` in an object; what is broken ends it."""
    head = content.read(_HEAD)
    skipped = len(BOM_UTF8) if head.startswith(BOM_UTF8) else 0
    content.seek(skipped)
    begins = head[skipped:].lstrip()[:1]
    number = 0
    try:
        for record in ijson.items(content, "item" if begins == b"[" else "records.item", use_float=True):
            number += 1
            if isinstance(record, dict):
                yield from rows_of(number, _named(record), place="record")
            else:
                yield BadRow(number, "", "no JSON object; give one with a `source`", "record")
    except (JSONError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0][:60]
        yield BadRow(number + 1, "", f"no JSON from here on ({reason}); write the file anew", "record")
        return
    if number == 0:
        yield BadRow(1, "", _NO_ROWS, "record")


def _named(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name_of(key): value for key, value in record.items()}
