"""One event on a page: what happened, which callback brought it, what was made of that, and who gets it."""

from collections.abc import Iterator
from typing import Any

from rich.markup import escape
from rich.table import Table

from voxroll.commands.speakers import coloured, short
from voxroll.commands.webhooks import when, words
from voxroll.documents import Attempt, Trace
from voxroll.show import out

_COLOURS = {"delivered": "green", "waiting": "yellow", "given_up": "red"}


def tell(trace: Trace) -> None:
    """Print the page."""
    event = trace.event
    of = f" of [bold]{escape(event.speaker_id)}[/]" if event.speaker_id else ""
    number = f", no {event.sequence}" if event.sequence else ""
    test = " [dim](test: nothing happened)[/]" if event.test else ""
    out.print(f"[bold]{escape(event.id)}[/]", soft_wrap=True)
    out.print(f"{escape(event.type)}{of}, {when(event.time)} UTC{number}{test}", soft_wrap=True)
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, text in _lines(trace):
        made.add_row(name, text)
    out.print(made)


def _lines(trace: Trace) -> Iterator[tuple[str, str]]:
    if trace.event.data:
        yield "data", escape(words(trace.event.data))
    if trace.told_with:
        yield "told with", escape(", ".join(f"{one['type']} (no {one['sequence']})" for one in trace.told_with))
    if trace.sample:
        yield "sample", f"{escape(short(trace.sample.source))}: {escape(trace.sample.state)}"
        for attempt in trace.sample.attempts:
            yield "call", _call(attempt)
    for one in trace.callbacks:
        at = str(one["receivedAt"])[11:19]
        yield "callback", escape(f"{one['callbackId']} at {at} UTC, {one['verdict']}, {one['bodyBytes']} bytes")
        yield "  says", escape(words(one["says"])) if one["says"] else "nothing that can be read"
        yield "  made of it", escape(str(one["decision"]))
    if trace.speaker:
        grade = trace.speaker["enrollmentQuality"]
        yield "speaker now", coloured(trace.speaker["state"]) + (f", quality {coloured(grade)}" if grade else "")
    for one in trace.endpoints:
        yield "endpoint", _endpoint(one)
    if not trace.endpoints:
        yield "endpoint", "[dim]there is none[/]"


def _call(attempt: Attempt) -> str:
    verb = f"{attempt.verb or 'not sent yet'}"
    when = f" at {attempt.started_at:%H:%M:%S} UTC" if attempt.started_at else ""
    return escape(f"{verb}{when}, attempt {attempt.attempt_id}")


def _endpoint(one: dict[str, Any]) -> str:
    colour = _COLOURS.get(one["state"], "dim")
    words = str(one["state"]).replace("_", " ")
    behind = f", behind {one['before']} of this speaker" if one.get("before") else ""
    tries = f", {one['tries']} tries, the next at {str(one['nextTryAt'])[:19]} UTC" if one["tries"] else ""
    return f"{escape(one['endpointId'])} {escape(one['url'])} [{colour}]{words}[/]{escape(behind + tries)}"
