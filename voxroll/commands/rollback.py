"""`voxroll rollback`: undo a batch, after saying what that comes to and which calls it takes.

The server does it and goes on without this command; the same command follows it again.
"""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from json import loads
from typing import Annotated, Any

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.batches import IdArgument
from voxroll.commands.pace import pace
from voxroll.documents import Batch
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, as_data, err, out

_WORDS = {
    "taken_out": "taken out at the API; they may be enrolled again later",
    "enrolled_anew": "deleted at the API and enrolled anew from what others handed in",
    "withdrawn": "with samples that wait and are not handed in any more",
    "nothing": "of whom nothing changes",
    "erased": "erased meanwhile, and stay so",
}
_BEGUN = frozenset({"rolling_back", "rolled_back"})


@dataclass(slots=True)
class Outlook:
    """What undoing a batch would come to."""

    speakers: Counter[str] = field(default_factory=Counter)
    samples: int = 0
    fewest: int = 0
    most: int = 0

    def add(self, row: dict[str, Any]) -> None:
        """Add a speaker."""
        self.speakers[row["outcome"]] += 1
        self.samples += row["samples"]
        self.fewest += row["calls"]["fewest"]
        self.most += row["calls"]["most"]

    def wire(self) -> dict[str, Any]:
        """As `--json` prints it."""
        calls = {"fewest": self.fewest, "most": self.most}
        return {"speakers": {name: self.speakers[name] for name in _WORDS}, "samples": self.samples, "calls": calls}


def rollback(
    batch_id: IdArgument,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would come to, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Undo a batch: what it handed in counts no more. Ctrl-C is safe, and the same command goes on.

    Who was enrolled by it alone is taken out at the API, and may be enrolled again later; who has samples of others is
    enrolled anew from those. Exit code 9 if there is nothing to do.
    """
    before = asyncio.run(_outlook(batch_id))
    if not as_json:
        _print(before)
    if dry_run:
        if as_json:
            as_data(before.wire())
        return
    if not yes and not as_json and sys.stdin.isatty():
        typer.confirm(f"Undo {batch_id}?", abort=True, err=True)
    was, batch = asyncio.run(_rolled_back(batch_id, wait=wait, quiet=as_json))
    if as_json:
        as_data(batch.wire() | {"outlook": before.wire()})
    else:
        told = ", ".join(f"{number:,} {state}" for state, number in batch.speakers.items() if number) or "nobody"
        out.print(f"[bold]{escape(batch.batch_id)}[/] {batch.state}: {told}")
    if was == "rolled_back":
        err.print("nothing to do: it was rolled back before")
        raise typer.Exit(int(Exit.NOTHING))


async def _outlook(batch_id: str) -> Outlook:
    found = Outlook()
    async with Client() as client:
        batch = await client.batch(batch_id)
        if (batch.is_working or batch.is_resting) and batch.state not in _BEGUN:
            message = f"{batch_id} is {batch.state}; `voxroll batches cancel {batch_id}` first, and let it end"
            raise CommandError("batch_running", message)
        async for line in client.report(batch_id, "rollback.jsonl"):
            found.add(loads(line))
    return found


def _print(found: Outlook) -> None:
    for name, words in _WORDS.items():
        if found.speakers[name]:
            out.print(f"{found.speakers[name]:,} speakers {words}")
    calls = f"{found.fewest:,}" if found.fewest == found.most else f"{found.fewest:,} to {found.most:,}"
    out.print(f"{found.samples:,} samples count no more; it takes {calls} calls")


async def _rolled_back(batch_id: str, *, wait: bool, quiet: bool) -> tuple[str, Batch]:
    """The state it was in, and the batch as it is in the end."""
    async with Client() as client:
        was = (await client.batch(batch_id)).state
        batch = await client.rollback(batch_id)
        if wait:
            with pace(quiet=quiet) as shown:
                async for found in client.watch_batch(batch_id):
                    batch = found
                    await shown.show(client, batch)
        return was, batch
