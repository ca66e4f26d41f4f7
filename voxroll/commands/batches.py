"""`voxroll batches list | show | pause | resume | cancel | forget | report`: manifests that were handed in."""

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from voxroll.client import Client
from voxroll.commands.duration import deadline
from voxroll.documents import Batch
from voxroll.show import JsonOption, as_data, err, out, rows, table

_HEADS = ("batch", "name", "since", "state", ">rows", ">read", ">complete", ">not", ">under way", ">calls")
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of a batch, as `voxroll batches list` shows it.")]


def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the batches, the newest first."""
    found = asyncio.run(_list(limit))
    if as_json:
        as_data({"batches": [one.wire() for one in found]})
    elif not found:
        err.print("none; `voxroll run MANIFEST` makes one")
    else:
        out.print(rows(_table(), map(_cells, found)))


def show(batch_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Show how a batch gets on."""
    _shown(asyncio.run(_one(batch_id)), as_json=as_json)


def pause(batch_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Take no more of its rows; who is under way goes on."""
    _shown(asyncio.run(_change(batch_id, "pause")), as_json=as_json)


def resume(
    batch_id: IdArgument,
    *,
    until: Annotated[str, typer.Option(help="Take no more rows after that time: 06:00, 8h.")] = "",
    budget: Annotated[int, typer.Option(min=0, help="Hand in at most so many samples in all; 0: any number.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Go on where it stopped."""
    bounds = {"until": deadline(until).isoformat() if until else None, "budget": budget or None}
    _shown(asyncio.run(_change(batch_id, "resume", **bounds)), as_json=as_json)


def cancel(batch_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Take no more of its rows, ever; ends once who is under way is settled."""
    _shown(asyncio.run(_change(batch_id, "cancel")), as_json=as_json)


def forget(
    batch_id: IdArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete its manifest, its problems and its counters once it has ended; its speakers stay."""
    if not yes:
        typer.confirm(f"Forget {batch_id}? There is no report of it afterwards", abort=True, err=True)
    asyncio.run(_forget(batch_id))
    if as_json:
        as_data({"batchId": batch_id, "forgotten": True})
    else:
        out.print(f"[bold]{escape(batch_id)}[/] is forgotten")


def report(
    batch_id: IdArgument,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV; else JSON lines.")] = False,
    rerun: Annotated[bool, typer.Option("--rerun", help="A manifest of the rows that may succeed now.")] = False,
) -> None:
    """Print what became of everybody, or what is worth another run."""
    asyncio.run(_report(batch_id, "rerun.jsonl" if rerun else f"report.{'csv' if as_csv else 'jsonl'}"))


async def _list(limit: int) -> list[Batch]:
    found: list[Batch] = []
    async with Client() as client:
        async for one in client.batches():
            found.append(one)
            if len(found) == limit:
                break
    return found


async def _one(batch_id: str) -> Batch:
    async with Client() as client:
        return await client.batch(batch_id)


async def _change(batch_id: str, what: str, **body: Any) -> Batch:
    async with Client() as client:
        return await client.change_batch(batch_id, what, **body)


async def _forget(batch_id: str) -> None:
    async with Client() as client:
        await client.forget_batch(batch_id)


async def _report(batch_id: str, name: str) -> None:
    async with Client() as client:
        async for line in client.report(batch_id, name):
            sys.stdout.buffer.write(line)


def _shown(batch: Batch, *, as_json: bool) -> None:
    if as_json:
        as_data(batch.wire())
        return
    out.print(rows(_table(), [_cells(batch)]))


def _table() -> Table:
    made = table(*_HEADS)
    made.columns[0].no_wrap = True  # an id is copied
    return made


def _cells(batch: Batch) -> list[str]:
    speakers = batch.speakers
    why = f" ({escape(batch.why)})" if batch.why else ""
    return [
        f"[bold]{escape(batch.batch_id)}[/]",
        escape(batch.name),
        f"{batch.created_at.astimezone():%m-%d %H:%M}",
        f"{batch.state.replace('_', ' ')}{why}",
        f"{batch.rows.total or 0:,}",
        f"{batch.rows.read:,}",
        f"{speakers.get('complete', 0):,}",
        f"{speakers.get('incomplete', 0) + speakers.get('failed', 0):,}",
        f"{batch.under_way():,}",
        f"{batch.calls:,}",
    ]
