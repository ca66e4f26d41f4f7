"""Speakers as people read them: the table that `enroll`, `status` and the demo share."""

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from voxroll.documents import Speaker
from voxroll.show import rows, table

_COLOURS = {
    "complete": "green",
    "incomplete": "yellow",
    "failed": "red",
    "enrolling": "cyan",
    "planned": "cyan",
    "High": "green",
    "Good": "green",
    "Average": "yellow",
    "Poor": "red",
}


def coloured(word: str | None) -> str:
    """A state or a quality in its colour; a dash for none."""
    if not word:
        return "[dim]-[/]"
    colour = _COLOURS.get(word)
    return f"[{colour}]{escape(word)}[/]" if colour else escape(word)


def speaker_table(speakers: Iterable[Speaker], *, reasons: bool = True) -> Table:
    """One line per speaker; with the codes of the samples that were not used, where wanted."""
    columns = ["speaker", "state", "quality", ">speech", ">samples"] + (["not used"] if reasons else [])
    made = table(*columns)
    return rows(made, (_line(speaker, reasons=reasons) for speaker in speakers))


def _line(speaker: Speaker, *, reasons: bool) -> list[str]:
    cells = [
        f"[bold]{escape(speaker.speaker_id)}[/]",
        coloured(speaker.state),
        coloured(speaker.enrollment_quality),
        f"{speaker.total_speech_duration:.1f} s",
        f"{speaker.applied()} of {len(speaker.samples)}",
    ]
    return [*cells, why_unused(speaker)] if reasons else cells


def why_unused(speaker: Speaker) -> str:
    """`silent hum.wav, too_short hello.wav, 2 not needed`: the last once the goal was met without them."""
    told = [
        f"[yellow]{escape(sample.code or sample.state)}[/] [dim]{escape(short(sample.source))}[/]"
        for sample in speaker.unused()
    ]
    spare = sum(sample.state == "spare" for sample in speaker.samples)
    return ", ".join([*told, f"[dim]{spare} not needed[/]"] if spare else told)


def short(source: str) -> str:
    """The last part of a path or URL."""
    return source.rstrip("/").rsplit("/", 1)[-1] or source
