"""`voxroll why`: one speaker's story in words, sample by sample.

What was measured, which stretch became the sample, which call handed it in, which callback answered, and what comes
next. All of it is in the speaker document; nothing is asked elsewhere.
"""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from voxroll.client import Client
from voxroll.commands.speakers import coloured, short
from voxroll.documents import Attempt, Sample, Speaker
from voxroll.show import JsonOption, as_data, clock, out

_MARKS = {
    "applied": "[green]✓ applied[/]",
    "rejected": "[yellow]✗ rejected before any call[/]",
    "refused": "[red]✗ refused by the API[/]",
    "parked": "[red]‖ set aside[/]",
    "held": "[yellow]? held: a person decides[/]",
    "withdrawn": "[dim]· withdrawn: replaced, or rolled back with its batch[/]",
    "spare": "[dim]· spare: the goal was met without it[/]",
    "planned": "[cyan]… waits to be measured[/]",
    "ready": "[cyan]… measured, waits for its turn[/]",
    "submitting": "[cyan]… handed in, waits for the answer[/]",
}
_CLIPPED = 1e-4  # fewer clipped samples would read as 0.00 %
_VIA = {"callback": "by callback", "response": "in the answer to the call", "lookup": "by asking the API"}


def why(
    speaker: Annotated[str, typer.Argument(metavar="SPEAKER", help="Id of the speaker.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Tell a speaker's story: each sample, what was measured, which call, which callback, what next."""
    found = asyncio.run(_ask(speaker))
    if as_json:
        as_data(found.wire())
        return
    tell(found)


async def _ask(speaker_id: str) -> Speaker:
    async with Client() as client:
        return await client.speaker(speaker_id)


def tell(speaker: Speaker) -> None:
    """Print the story."""
    out.print(f"[bold]{escape(speaker.speaker_id)}[/]  {coloured(speaker.state)}{_standing(speaker)}")
    for number, sample in enumerate(speaker.samples, start=1):
        out.print()
        mark = _MARKS.get(sample.state, escape(sample.state))
        out.print(f"[bold]{number}[/] {escape(short(sample.source))}  {mark}", soft_wrap=True)
        out.print(Padding(_facts(sample), (0, 0, 0, 2)))
    if speaker.next:
        out.print(f"\n[bold]next[/]  {escape(speaker.next)}", soft_wrap=True)


def _standing(speaker: Speaker) -> str:
    if not speaker.total_enroll_duration:
        return ""
    quality = f", quality {coloured(speaker.enrollment_quality)}" if speaker.enrollment_quality else ""
    speech, audio = speaker.total_speech_duration, speaker.total_enroll_duration
    return f"{quality}, {speech:.1f} s of speech in {audio:.1f} s of samples"


def _facts(sample: Sample) -> Table:
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, text in _lines(sample):
        made.add_row(name, text)
    return made


def _lines(sample: Sample) -> Iterator[tuple[str, str]]:
    if sample.stretch:
        yield "within", _within(sample.stretch)
    if sample.recipe:
        yield "sample", _cut(sample.recipe)
    if sample.measures:
        yield "measured", _measured(sample.measures)
    for number, attempt in enumerate(sample.attempts, start=1):
        name = "call" if len(sample.attempts) == 1 else f"call {number}"
        yield name, _call(attempt)
        if attempt.answered_at:
            yield "answer", _answer(attempt)
    if sample.conflict:
        yield "sounds like", _conflict(sample.conflict)
    if sample.code and sample.state != "applied":
        yield "reason", f"[yellow]{escape(sample.code)}[/]{escape(_after(sample.code, sample.message))}"


def _conflict(conflict: dict[str, Any]) -> str:
    score, threshold = float(conflict.get("score", 0)), float(conflict.get("threshold", 0))
    return escape(f"{conflict.get('speakerId')}: score {score:.2f}, suspected from {threshold:.2f}")


def _after(code: str, message: str | None) -> str:
    """The message, without a code that it repeats."""
    return f": {message.removeprefix(code).lstrip(': ')}" if message else ""


def _cut(recipe: dict[str, Any]) -> str:
    start_s, end_s = float(recipe.get("startS", 0)), float(recipe.get("endS", 0))
    channel = recipe.get("channel")
    of = "" if channel is None else f", channel {channel}"
    return f"{clock(start_s)} to {clock(end_s)} of the recording ({end_s - start_s:.1f} s){of}"


def _within(stretch: dict[str, Any]) -> str:
    end_s = stretch.get("endS")
    return (
        f"{clock(float(stretch.get('startS', 0)))} to {'its end' if end_s is None else clock(float(end_s))}, as named"
    )


def _measured(measures: dict[str, Any]) -> str:
    words = {
        "durationS": "{:.1f} s long",
        "speechS": "{:.1f} s of speech",
        "longestPauseS": "longest pause {:.1f} s",
        "snrDb": "speech {:.0f} dB above the noise",
        "levelDbfs": "level {:.0f} dBFS",
        "consistency": "consistency {:.2f}",
    }
    told = [words[key].format(float(measures[key])) for key in words if measures.get(key) is not None]
    if (clipped := float(measures.get("clipRatio") or 0)) >= _CLIPPED:
        told.append(f"{clipped:.2%} clipped")
    if "narrowBand" in measures:
        told.append("telephone band" if measures["narrowBand"] else "wide band")
    return escape(", ".join(told))


def _call(attempt: Attempt) -> str:
    when = f"{attempt.started_at:%H:%M:%S} UTC" if attempt.started_at else "not yet sent"
    verb = f" {attempt.verb}" if attempt.verb else ""
    job = f", accepted as job {attempt.job_id}" if attempt.job_id else ""
    return escape(f"{when}{verb}{job}")


def _answer(attempt: Attempt) -> str:
    when = f"{attempt.answered_at:%H:%M:%S} UTC" if attempt.answered_at else ""
    after = ""
    if attempt.answered_at and attempt.started_at:
        after = f", {(attempt.answered_at - attempt.started_at).total_seconds():.1f} s after the call"
    via = _VIA.get(attempt.via or "", attempt.via or "")
    code = f" ({attempt.code})" if attempt.code else ""
    return escape(f"{when} {via}: {attempt.outcome or 'unknown'}{code}{after}")
