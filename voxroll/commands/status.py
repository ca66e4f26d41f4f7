"""`voxroll status`: how the speakers stand, or one of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from voxroll.client import Client
from voxroll.commands.duration import seconds
from voxroll.commands.speakers import speaker_table
from voxroll.commands.words import known
from voxroll.documents import Speaker
from voxroll.show import JsonOption, as_data, err, out
from worker.contract.standing import QUALITIES, STATES

_AGE = "90s, 15m, 2h or 7d"


def status(  # noqa: PLR0913  (one argument per option of the command)
    speaker: Annotated[str, typer.Argument(metavar="SPEAKER", help="Id of one speaker; all of them without it.")] = "",
    *,
    state: Annotated[str, typer.Option(help=f"Only speakers in this state: {', '.join(STATES)}.")] = "",
    quality: Annotated[str, typer.Option(help=f"Only enrollments of this quality: {', '.join(QUALITIES)}.")] = "",
    batch: Annotated[str, typer.Option(help="Only speakers that were handed in with this batch.")] = "",
    changed_within: Annotated[str, typer.Option(help=f"Only what changed within so long: {_AGE}.")] = "",
    unchanged_for: Annotated[str, typer.Option(help=f"Only what has not changed for so long: {_AGE}.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show how the speakers stand, the latest change first."""
    wanted: dict[str, Any] = {
        "state": known(state, STATES, "state"),
        "quality": known(quality, QUALITIES, "quality"),
        "batch": batch or None,
        "changed_after": _ago(changed_within),
        "changed_before": _ago(unchanged_for),
    }
    found = asyncio.run(_one(speaker) if speaker else _some(wanted, limit=limit + 1))
    shown = found[:limit]
    if as_json:
        as_data(found[0].wire() if speaker else {"speakers": [one.wire() for one in shown]})
        return
    if not found:
        asked = any(wanted.values())
        err.print("none" if asked else "no speakers yet; `voxroll enroll SPEAKER FILE...` hands recordings in")
        return
    out.print(speaker_table(shown))
    complete = sum(one.enrollment_complete for one in shown)
    more = f"the latest {limit}; more with --limit" if len(found) > limit else f"{len(shown)} speakers"
    err.print(f"[dim]{more}, {complete} complete; `voxroll why SPEAKER` tells one's story[/]")


def _ago(text: str) -> datetime | None:
    return datetime.now(UTC) - timedelta(seconds=seconds(text)) if text else None


async def _one(speaker_id: str) -> list[Speaker]:
    async with Client() as client:
        return [await client.speaker(speaker_id)]


async def _some(wanted: dict[str, Any], *, limit: int) -> list[Speaker]:
    found: list[Speaker] = []
    async with Client() as client:
        async for speaker in client.speakers(**wanted):
            found.append(speaker)
            if len(found) == limit:
                break
    return found
