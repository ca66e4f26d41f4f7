"""Who has agreed: a file of speakers with yes or no, and from when to when; CSV with a header, or JSON lines.

In: lines of text. Out: who agrees at a moment. Nobody agrees by a line that can't be read, and one `no` that holds
outweighs every `yes`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from worker.contract import manifest
from worker.contract.fields import FieldError, short
from worker.contract.rows import BadRow, consent_of, found, speaker_id_of

_FROM, _TO = ("from", "since", "validfrom"), ("to", "until", "validto", "expires")


@dataclass(frozen=True, slots=True)
class Consents:
    """Who has agreed, and the lines that can't be read."""

    given: frozenset[str]
    bad: tuple[BadRow, ...]


def read(path: Path, *, at: datetime) -> Consents:
    """Who has agreed at a moment, by a file.

    Raises:
        OSError: it can't be read.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        return agreed(file, kind=manifest.kind_of(path), at=at)


def agreed(lines: Iterable[str], *, kind: str, at: datetime) -> Consents:
    """The same of lines."""
    said: dict[str, bool] = {}
    bad: list[BadRow] = []
    for line, record in manifest.records(lines, kind=kind):
        if isinstance(record, BadRow):
            bad.append(record)
            continue
        try:
            name, yes, holds = _one(record, at)
        except FieldError as error:
            bad.append(BadRow(line, error.field, error.reason))
            continue
        if holds:
            said[name] = yes and said.get(name, True)
    return Consents(frozenset(name for name, yes in said.items() if yes), tuple(bad))


def _one(record: Mapping[str, Any], at: datetime) -> tuple[str, bool, bool]:
    """Who, yes or no, and whether that holds at a moment."""
    name, yes = speaker_id_of(found(record, "speakerId")), consent_of(found(record, "consent"))
    if name is None:
        raise FieldError("speakerId", "is missing; give an id")
    if yes is None:
        raise FieldError("consent", "is missing; say yes or no")
    begins, ends = _moment("from", _first(record, _FROM)), _moment("to", _first(record, _TO), is_end=True)
    return name, yes, (begins is None or begins <= at) and (ends is None or at < ends)


def _first(record: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((record[name] for name in names if record.get(name) is not None and record[name] != ""), None)


def _moment(field: str, value: Any, *, is_end: bool = False) -> datetime | None:
    """A day, which is meant as a whole, or a time as RFC 3339 writes it; UTC where no zone is named."""
    if value is None:
        return None
    try:
        text = str(value).strip()
        if len(text) == len("2026-11-21"):
            day = date.fromisoformat(text)
            return datetime.combine(day, time(), UTC) + timedelta(days=is_end and day < date.max)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        reason = f"{short(value)} is no day and no time; give one like 2026-11-21 or 2026-11-21T08:00:00Z"
        raise FieldError(field, reason) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
