"""Verdicts as a table for people, as wide as the terminal; on a narrow one the reasons stand under it."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from engine.voice.preflight import Window
from voxroll.asked import readable
from voxroll.checked import codes
from voxroll.checking import Verdict
from voxroll.remarks import remarks
from voxroll.show import clock, rows, table

_WIDE = 160  # columns from which the reasons have room beside the numbers


def print_verdicts(out: Console, verdicts: Sequence[Verdict], *, seconds: float) -> None:
    """Print the table, what to know beside or under it, and the sums."""
    folder, wide = _common(verdicts), out.width >= _WIDE
    channels = any(verdict.heard and verdict.heard.channels > 1 for verdict in verdicts)
    heads = ["recording", "verdict", ">from", ">to", *[">ch"] * channels, ">speech", ">SNR", *["what to know"] * wide]
    cells = (line for verdict in verdicts for line in _lines(verdict, folder, channels=channels, wide=wide))
    out.print(rows(table(*heads), cells))
    if not wide:
        _print_under(out, verdicts, folder)
    out.print(_sums(verdicts, seconds=seconds), soft_wrap=True)


def _print_under(out: Console, verdicts: Sequence[Verdict], folder: Path | None) -> None:
    out.print()
    for verdict in verdicts:
        if known := _to_know(verdict):
            out.print(f"[bold]{_name(verdict, folder)}[/]: {known}")
    out.print()


def _lines(verdict: Verdict, folder: Path | None, *, channels: bool, wide: bool) -> Iterator[list[str]]:
    """The row of a recording, and one for each further window."""
    name, known = f"[bold]{_name(verdict, folder)}[/]", [_to_know(verdict)] * wide
    if verdict.refusal:
        yield [name, f"[red]{escape(verdict.refusal.code)}[/]", *[""] * (4 + channels), *known]
        return
    yield [name, "[green]usable[/]", *_numbers(verdict.windows[0], channels=channels), *known]
    for window in islice(verdict.windows, 1, None):
        yield ["", "[dim]or[/]", *_numbers(window, channels=channels), *[""] * wide]


def _numbers(window: Window, *, channels: bool) -> list[str]:
    found = window.measures
    channel = "" if window.channel is None else str(window.channel)
    ends = [clock(window.start_s), clock(window.end_s)]
    return [*ends, *[channel] * channels, f"{found.speech_s:.1f} s", f"{found.snr_db:.0f} dB"]


def _to_know(verdict: Verdict) -> str:
    told = escape(printable("; ".join(remarks(verdict))))
    return told if verdict.refusal or not told else f"[dim]{told}[/]"


def _sums(verdicts: Sequence[Verdict], *, seconds: float) -> str:
    refused = codes(verdicts)
    heard_s = sum(verdict.duration_s for verdict in verdicts)
    why = ", ".join(f"{number} {code}" for code, number in refused.most_common())
    usable, not_usable = len(verdicts) - refused.total(), f", [red]{refused.total()} not[/]: {why}" if refused else ""
    rate = f"{clock(heard_s)} of audio in {seconds:.1f} s, {heard_s / max(seconds, 1e-3):,.0f} times real time"
    return f"[green]{usable} usable[/]{not_usable}; {rate}"


def _common(verdicts: Sequence[Verdict]) -> Path | None:
    """The folder that all files are in, where they are several and it has a name."""
    files = [verdict.file for verdict in verdicts]
    alike = len({file.is_absolute() for file in files}) == 1
    common = Path(os.path.commonpath(files)) if len(set(files)) > 1 and alike else None
    return common if common and common.name else None


def _name(verdict: Verdict, folder: Path | None) -> str:
    """A recording as people know it; a row that names no file by its line."""
    file = verdict.file.relative_to(folder) if folder else verdict.file
    return escape(printable(readable(file)) + verdict.asked.row)


def printable(text: str) -> str:
    """Text without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
