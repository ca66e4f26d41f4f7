"""`--verbose`: what the processes write to their logs, on the terminal too.

The logs are JSON; a line becomes time, process, event and values. Reading stands apart from writing, so that a slow
terminal never holds up a process.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

_POLL_S = 0.2
_APART = frozenset({"timestamp", "level", "event", "process"})


async def follow(logs: Path, show: Callable[[str], None]) -> None:
    """Show every line that is written from now on, until cancelled."""
    read = {path: path.stat().st_size for path in _files(logs)}
    while True:
        for path in _files(logs):
            read[path] = _news(path, read.get(path, 0), show)
        await asyncio.sleep(_POLL_S)


def _files(logs: Path) -> list[Path]:
    return sorted(logs.glob("*.log"))


def _news(path: Path, position: int, show: Callable[[str], None]) -> int:
    with path.open("rb") as log:
        if path.stat().st_size < position:
            position = 0  # a new file: the old one was set aside
        log.seek(position)
        whole, newline, _ = log.read().rpartition(b"\n")
    for line in whole.splitlines():
        show(worded(path.stem, line.decode(errors="replace")))
    return position + len(whole) + len(newline)


def worded(process: str, line: str) -> str:
    """A log line for people."""
    try:
        fields = json.loads(line)
        time, event = str(fields["timestamp"])[11:19], fields["event"]
    except (ValueError, TypeError, KeyError):
        return f"{process:<8} {line}"
    values = " ".join(f"{key}={value}" for key, value in fields.items() if key not in _APART)
    return f"{process:<8} {time} {fields.get('level', ''):<7} {event} {values}"
