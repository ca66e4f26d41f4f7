"""`voxroll run`: hand a manifest in as a batch and follow it to its end.

The server does the work and goes on without this command. The same command on the same manifest finds the same batch:
it follows it, or resumes it where it stopped. A changed manifest is another batch, to which recordings that are known
add nothing.
"""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from json import loads
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.duration import deadline
from voxroll.commands.manifests import MANIFEST_HELP, at_hand
from voxroll.commands.pace import pace
from voxroll.commands.words import known
from voxroll.documents import Batch
from voxroll.failure import Exit
from voxroll.show import JsonOption, as_data, err, out
from worker.contract.standing import QUALITIES

_EXISTING = ("augment", "skip", "fail", "replace")
_REASONS = 5
_PIECE = 1 << 20


def run(  # noqa: PLR0913  (one argument per option of the command)
    manifest: Annotated[str, typer.Argument(metavar="MANIFEST", help=MANIFEST_HELP)],
    *,
    name: Annotated[str, typer.Option(help="A name for people; another name makes another batch of it.")] = "",
    until: Annotated[str, typer.Option(help="Take no more rows after that time: 06:00, 8h.")] = "",
    budget: Annotated[int, typer.Option(min=0, help="Hand in at most so many samples; 0: any number.")] = 0,
    on_existing: Annotated[
        str,
        typer.Option(
            help="Speakers who were enrolled before: augment them, skip or fail their rows, or replace what they were "
            "enrolled of once a new sample is ready."
        ),
    ] = "augment",
    goal: Annotated[str, typer.Option(help=f"Enough for a speaker: {', '.join(QUALITIES)}.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Enroll everybody in a manifest. Ctrl-C is safe, and the same command goes on.

    Exit code 0 if all became complete; 5 if not all, and a retry may help: of the rows in `batches report ID --rerun`,
    or of this command if somebody paused it; 7 if not all, and no retry helps, or if it was cancelled; 9 if there was
    nothing to do; 10 if time or budget is over and rows are left. With --no-wait 0 once it is handed in.
    """
    known(on_existing, _EXISTING, "on-existing")
    known(goal, QUALITIES, "goal")
    bounds = {"until": deadline(until).isoformat() if until else "", "budget": str(budget or "")}
    options = bounds | {"name": name, "onExisting": on_existing, "quality": goal}
    with at_hand(manifest) as (path, folder):
        done = _run(path, folder, options, wait=wait, quiet=as_json)
    if as_json:
        as_data(done.batch.wire() | {"reasons": dict(done.reasons)})
    else:
        _print(done)
    if code := exit_code(done):
        raise typer.Exit(int(code))


@dataclass(frozen=True, slots=True)
class Done:
    """What a run came to.

    Attributes:
        batch: as it is in the end.
        is_new: there was anything to do.
        reasons: how often which was told.
        may_pass: some of its rows can succeed if they are tried again.
    """

    batch: Batch
    is_new: bool = True
    reasons: Counter[str] = field(default_factory=Counter)
    may_pass: bool = False


def _run(path: Path, folder: str, options: dict[str, str], *, wait: bool, quiet: bool) -> Done:
    begun: list[Batch] = []

    async def follow() -> Done:
        async with Client() as client:
            batch = await _begun(client, path, folder, options)
            begun.append(batch)
            if not batch.is_working:
                return Done(batch, is_new=False)
            with pace(quiet=quiet) as shown:
                async for found in client.watch_batch(batch.batch_id):
                    batch = found
                    await shown.show(client, batch)
                    if not wait:
                        return Done(batch)
            may_pass = await _may_pass(client, batch) if batch.state == "completed_with_errors" else False
            return Done(batch, reasons=await _reasons(client, batch), may_pass=may_pass)

    try:
        return asyncio.run(follow())
    except KeyboardInterrupt:
        if begun:
            command = f"`voxroll batches pause {begun[0].batch_id}`"
            err.print(f"it goes on without this; the same command follows it again, {command} stops it")
        raise


async def _begun(client: Client, path: Path, folder: str, options: dict[str, str]) -> Batch:
    """The batch of a manifest, at work unless it has ended before; a budget is this run's."""
    batch = await client.run(path, folder=folder, **options)
    if batch.is_resting:
        budget = batch.calls + int(options["budget"]) if options["budget"] else None
        return await client.change_batch(batch.batch_id, "resume", until=options["until"] or None, budget=budget)
    return batch


async def _reasons(client: Client, batch: Batch) -> Counter[str]:
    """How often which reason stands in the report of those who did not become complete."""
    found: Counter[str] = Counter()
    async for line in client.report(batch.batch_id, "report.jsonl"):
        row = loads(line)
        if row["state"] != "complete":
            found.update({one["code"] for one in row["reasons"]})
    return Counter(dict(found.most_common(_REASONS)))


async def _may_pass(client: Client, batch: Batch) -> bool:
    """Whether there are rows that can succeed if they are tried again."""
    async with aclosing(client.report(batch.batch_id, "rerun.jsonl")) as rows:
        return await anext(rows, None) is not None


def _print(done: Done) -> None:
    batch, rows = done.batch, done.batch.rows
    told = ", ".join(f"{number:,} {state}" for state, number in batch.speakers.items() if number) or "nobody"
    why = f" ({escape(batch.why)})" if batch.why else ""
    out.print(f"[bold]{escape(batch.batch_id)}[/] {batch.state}{why}: {told}; {batch.calls:,} calls")
    fates = ("taken", "bad", "skipped", "blocked")
    out.print(f"rows: {rows.read:,} of {rows.total or 0:,}: {', '.join(f'{getattr(rows, f):,} {f}' for f in fates)}")
    if done.reasons:
        out.print("why not: " + ", ".join(f"{code} {number:,}" for code, number in done.reasons.items()))
    if not done.is_new:
        err.print("nothing to do: this manifest was run before; another --name runs it once more")
    if batch.state == "completed_with_errors":
        is_known = done.may_pass or not done.is_new
        again = "`--rerun` what may succeed" if is_known else "none of its rows can succeed as it is"
        err.print(f"[dim]`voxroll batches report {batch.batch_id}` has every reason, {again}[/]")


def exit_code(done: Done) -> Exit:
    """What the command ends with."""
    state, why = done.batch.state, done.batch.why or ""
    if state == "cancelled":
        return Exit.FATAL
    if not done.is_new or (state == "completed" and not done.batch.rows.taken):
        return Exit.NOTHING
    if state == "expired" or (state == "paused" and why.startswith("budget")):
        return Exit.LIMIT
    if state == "paused" or (state == "completed_with_errors" and done.may_pass):
        return Exit.INCOMPLETE
    return Exit.FATAL if state == "completed_with_errors" else Exit.OK
