"""`voxroll retry`, `roster` and `export`: something about many speakers at once, page by page."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.words import known
from voxroll.documents import Speaker
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, as_data, err, out
from worker.contract.standing import QUALITIES

_PATIENCE_S = 900.0  # as long as `enroll` waits
BatchOption = Annotated[str, typer.Option(help="Only speakers of this batch.")]


def retry(
    speaker: Annotated[str, typer.Argument(metavar="SPEAKER", help="Id of one speaker.")] = "",
    *,
    code: Annotated[str, typer.Option(help="Everybody with a recording that failed with this code.")] = "",
    batch: BatchOption = "",
    as_json: JsonOption = False,
) -> None:
    """Try once more what failed for a reason that may have passed: gone, not answering, given up, refused.

    Exit code 9 if there is nothing to try again.
    """
    if bool(speaker) == bool(code):
        message = "name a speaker, or a code by --code"
        raise CommandError("bad_usage", message, exit_code=Exit.USAGE)
    tried = asyncio.run(_retry(speaker, code, batch))
    if as_json:
        as_data({"speakers": tried})
    elif tried:
        out.print(f"{len(tried):,} tried again: {escape(', '.join(tried[:10]))}{', ...' if len(tried) > 10 else ''}")  # noqa: PLR2004
    else:
        err.print("nothing to try again; `voxroll status` shows how the speakers stand")
    if not tried:
        raise typer.Exit(int(Exit.NOTHING))


def roster(  # noqa: PLR0913  (one argument per option of the command)
    *,
    complete: Annotated[
        bool, typer.Option("--complete/--every", help="Only who is sure to be accepted by identify; or everybody.")
    ] = True,
    min_quality: Annotated[str, typer.Option(help=f"At least: {', '.join(QUALITIES)}.")] = "Poor",
    limit_per_call: Annotated[int, typer.Option(min=0, help="Lines of so many ids, with commas; 0: an id a line.")] = 0,
    recording: Annotated[
        str, typer.Option(help="Only who may be the people in it, the likeliest first, up to 50: a file or a URL.")
    ] = "",
    batch: BatchOption = "",
    as_json: JsonOption = False,
) -> None:
    """Print the ids of who is enrolled, as identify takes them. Exit code 9 if there is nobody."""
    least = QUALITIES.index(known(min_quality, QUALITIES, "min-quality") or QUALITIES[0])
    if recording:
        source = recording if "://" in recording else str(Path(recording).absolute())
        ids = asyncio.run(_shortlist(source, min_quality=QUALITIES[least], batch=batch))
    else:
        ids = asyncio.run(_ids(complete=complete, least=least, batch=batch))
    size = limit_per_call or 1
    calls = [ids[at : at + size] for at in range(0, len(ids), size)]
    if as_json:
        as_data({"calls": calls if limit_per_call else [ids], "speakers": len(ids)})
    else:
        sys.stdout.writelines(",".join(call) + "\n" for call in calls)
    if not ids:
        raise typer.Exit(int(Exit.NOTHING))


def export(*, batch: BatchOption = "") -> None:
    """Print everything that is known of every speaker as JSON lines: recipes and measures, never a voice."""
    asyncio.run(_export(batch))


async def _speakers(client: Client, batch: str) -> AsyncIterator[Speaker]:
    """Everybody, each once, though who changes meanwhile may come again."""
    seen: set[str] = set()
    async for speaker in client.speakers(batch=batch or None, oldest_first=True):
        if speaker.speaker_id not in seen:
            seen.add(speaker.speaker_id)
            yield speaker


async def _retry(speaker_id: str, code: str, batch: str) -> list[str]:
    async with Client() as client:
        if speaker_id:
            names = [speaker_id]
        else:
            found = _speakers(client, batch)
            names = [one.speaker_id async for one in found if code in {sample.code for sample in one.unused()}]
        tried = []
        for name in names:
            try:
                await client.retry(name)
            except CommandError as error:
                if error.code != "nothing_to_retry":
                    raise
                continue
            tried.append(name)
        return tried


async def _ids(*, complete: bool, least: int, batch: str) -> list[str]:
    async with Client() as client:
        found = [
            one.speaker_id
            async for one in _speakers(client, batch)
            if one.state != "erased" and one.enrollment_quality and (one.enrollment_complete or not complete)
            if QUALITIES.index(one.enrollment_quality) >= least
        ]
        return sorted(found)


async def _shortlist(source: str, *, min_quality: str, batch: str) -> list[str]:
    async with Client() as client:
        try:
            return await client.shortlist(source, min_quality=min_quality, batch=batch or None, timeout_s=_PATIENCE_S)
        except TimeoutError as error:
            message = f"nobody has listened to it for {_PATIENCE_S:g} s; does a worker run? `voxroll doctor` looks"
            raise CommandError("shortlist_late", message) from error


async def _export(batch: str) -> None:
    async with Client() as client:
        async for speaker in _speakers(client, batch):
            sys.stdout.write(json.dumps(speaker.wire()) + "\n")
