"""plan.jsonl: rows as `run` takes them, with what `plan` found of each, and what a person decided of it.

A row is a line. To the fields of a manifest it adds `sample` (from where to where, and on which channel), `speechS`,
`doubts` (codes, and why somebody should listen first), and `review`: the decision, when it was taken, and what it
replaced (`was`). What `run` heeds are fields of every manifest: `rejected` leaves a row out, `start` and `end` move it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from engine.voice.found import Window
from voxroll.failure import CommandError
from voxroll.whole import alone, written
from worker.contract.fields import Stretch
from worker.contract.rows import Row, rows_of
from worker.contract.rows import name_of as field_of

_REPLACED = ("start", "end", "channel", "sample", "speechS")  # by a move
_TOLD_BY_HASH = 16  # characters, of one line beside thousands


class Decision(StrEnum):
    """What a person made of a row."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a plan.

    Attributes:
        line: from 1.
        content: its bytes.
        told: what they say.
    """

    line: int
    content: bytes
    told: dict[str, Any]

    @property
    def is_(self) -> str:
        """Tells this content of the line from any other."""
        return hashlib.sha256(self.content.rstrip(b"\r\n")).hexdigest()[:_TOLD_BY_HASH]

    @property
    def speaker_id(self) -> str:
        """Whose recording it is; empty where it says nothing."""
        return str(self.told.get("speakerId") or "")

    @property
    def doubts(self) -> dict[str, str]:
        """Codes, and why."""
        found = self.told.get("doubts")
        return {str(code): str(why) for code, why in found.items()} if isinstance(found, dict) else {}

    @property
    def decision(self) -> Decision:
        """What was decided."""
        review = self.told.get("review")
        said = review.get("decision") if isinstance(review, dict) else None
        if isinstance(said, str) and said in set(Decision):
            return Decision(said)
        return Decision.REJECTED if self.told.get("rejected") else Decision.OPEN

    @property
    def sample(self) -> Mapping[str, Any]:
        """The stretch that was found: `startS`, `endS`, `channel`; empty where nobody has looked."""
        found = self.told.get("sample")
        return found if isinstance(found, dict) else {}

    @property
    def speech_s(self) -> float:
        """Seconds of speech in the sample; 0 where nobody has looked."""
        found = self.told.get("speechS")
        return float(found) if isinstance(found, float) else 0.0

    def row(self) -> Row | None:
        """The row of a manifest that it is, whatever was decided; None where it is none, or several."""
        told = {field_of(name): value for name, value in self.told.items() if name != "rejected"}
        found = list(rows_of(self.line, told))
        return found[0] if len(found) == 1 and isinstance(found[0], Row) else None


def told(row: Row, window: Window | None, doubts: Mapping[str, str]) -> dict[str, Any]:
    """What is written of a row: its best stretch, and the doubts of this recording."""
    said = row.told(source=row.source) | (found(window) if window else {})
    return said | ({"doubts": doubts} if doubts else {})


def found(window: Window) -> dict[str, Any]:
    """What is written of a stretch."""
    sample = {"startS": window.start_s, "endS": window.end_s, "channel": window.channel}
    return {"sample": sample, "speechS": round(window.measures.speech_s, 2)}


def write(path: Path, rows: IO[str], doubted: Mapping[str, Mapping[str, str]]) -> None:
    """Write lines down that `told` made, each with the doubts of its person.

    Raises:
        OSError: it can't be written.
    """
    rows.seek(0)
    with alone(path.parent), written(path) as file:  # no decision is to bring the old plan back
        for line in rows:
            said = json.loads(line)
            doubts = doubted.get(said["speakerId"])
            file.write(_text(said | {"doubts": said.get("doubts", {}) | doubts}) if doubts else line)


def read(path: Path, *, known: Iterable[Entry] = ()) -> list[Entry]:
    """The lines of a plan; those that are no JSON objects are left out.

    Args:
        path: of the plan.
        known: what was read of it before; lines that have not changed since are not parsed again.

    Raises:
        OSError: it can't be read.
    """
    before = {entry.line: entry for entry in known}
    found = []
    with path.open("rb") as file:
        for number, content in enumerate(file, 1):
            old = before.get(number)
            entry = old if old and old.content == content else _entry(number, content)
            found += [entry] if entry else []
    return found


def decided(path: Path) -> int:
    """How many rows hold a person's decision; none where there is no plan."""
    try:
        return sum("review" in entry.told for entry in read(path))
    except FileNotFoundError:
        return 0


def change(
    path: Path, wanted: Iterable[tuple[int, str]], how: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[Entry]:
    """Change lines, all or none, if they still are what somebody has seen of them; all others stay as they are by now.

    Args:
        path: of the plan.
        wanted: lines and their `Entry.is_`.
        how: what a line says then, of what it says.

    Raises:
        CommandError: `plan_changed`.
        OSError: it can't be read or written.
    """
    with alone(path.parent):
        with path.open("rb") as file:
            lines = file.readlines()
        changed = []
        for number, is_ in wanted:
            entry = _entry(number, lines[number - 1]) if 0 < number <= len(lines) else None
            if entry is None or entry.is_ != is_:
                message = f"line {number} of {path.name} was changed by something else; nothing is saved, load it again"
                raise CommandError("plan_changed", message)
            lines[number - 1] = _text(how(entry.told)).encode()
            changed.append(number)
        with written(path, mode="wb") as file:
            file.writelines(lines)
    return [one for number in changed if (one := _entry(number, lines[number - 1]))]


def original(said: Mapping[str, Any]) -> dict[str, Any]:
    """A line without a decision."""
    review = said.get("review")
    was = review.get("was") if isinstance(review, dict) else None
    whole = {**said, **was} if isinstance(was, dict) else dict(said)
    return {name: value for name, value in whole.items() if name not in {"review", "rejected"} and value is not None}


def accepted(said: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """A line with the decision to hand it in as it is."""
    return original(said) | _review(Decision.ACCEPTED, at)


def rejected(said: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """A line with the decision not to hand it in."""
    return original(said) | {"rejected": True} | _review(Decision.REJECTED, at)


def moved(said: Mapping[str, Any], window: Window, *, to: Stretch, at: datetime) -> dict[str, Any]:
    """A line with the decision to take its sample from another stretch, in which this was found.

    The channel is laid down, for in another stretch another party might have most speech.
    """
    before = original(said)
    review = _review(Decision.MOVED, at, was={name: before.get(name) for name in _REPLACED})
    channel = {} if window.channel is None else {"channel": window.channel}
    return before | {"start": to.start_s, "end": to.end_s} | channel | found(window) | review


def _review(decision: Decision, at: datetime, **rest: Any) -> dict[str, Any]:
    return {"review": {"decision": str(decision), "at": at.isoformat(timespec="seconds"), **rest}}


def _entry(line: int, content: bytes) -> Entry | None:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    return Entry(line, content, said)


def _text(said: Mapping[str, Any]) -> str:
    return json.dumps(said) + "\n"
