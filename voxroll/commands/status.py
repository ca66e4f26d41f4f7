"""`voxroll status`: how the speakers stand, or one of them."""

import asyncio
from typing import Annotated

import typer

from voxroll.client import Client
from voxroll.commands.speakers import speaker_table
from voxroll.documents import Speaker
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, as_data, err, out

_STATES = ("planned", "enrolling", "complete", "incomplete", "failed")


def status(
    speaker: Annotated[str, typer.Argument(help="Id of one speaker; all of them without it.")] = "",
    *,
    state: Annotated[str, typer.Option(help=f"Only speakers in this state: {', '.join(_STATES)}.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show how the speakers stand."""
    if state and state not in _STATES:
        message = f"{state!r} is no state; the states are {', '.join(_STATES)}"
        raise CommandError("bad_state", message, exit_code=Exit.USAGE)
    found = asyncio.run(_one(speaker) if speaker else _all(state))
    if as_json:
        as_data(found[0].wire() if speaker else {"speakers": [one.wire() for one in found]})
        return
    if not found:
        err.print("no speakers yet; `voxroll enroll SPEAKER FILE...` hands recordings in" if not state else "none")
        return
    out.print(speaker_table(found))
    complete = sum(one.enrollment_complete for one in found)
    err.print(f"[dim]{len(found)} speakers, {complete} complete; `voxroll why SPEAKER` tells one's story[/]")


async def _one(speaker_id: str) -> list[Speaker]:
    async with Client() as client:
        return [await client.speaker(speaker_id)]


async def _all(state: str) -> list[Speaker]:
    async with Client() as client:
        return [speaker async for speaker in client.speakers(state=state or None)]
