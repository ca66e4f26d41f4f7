"""`voxroll run`: hand a manifest in as a batch and follow it to its end.

The server does the work and goes on without this command. The same command on the same manifest finds the same batch:
it follows it, or resumes it where it stopped. A changed manifest is another batch, to which recordings that are known
add nothing.
"""

import asyncio
from collections import Counter
from json import loads
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.duration import deadline
from voxroll.commands.manifests import MANIFEST_HELP, at_hand
from voxroll.commands.pace import pace
from voxroll.documents import Batch
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, as_data, err, out

_EXISTING = ("augment", "skip", "fail")
_QUALITIES = ("Poor", "Average", "Good", "High")
_REASONS = 5
_PIECE = 1 << 20


def run(  # noqa: PLR0913  (one argument per option of the command)
    manifest: Annotated[str, typer.Argument(metavar="MANIFEST", help=MANIFEST_HELP)],
    *,
    name: Annotated[str, typer.Option(help="A name for people; another name makes another batch of it.")] = "",
    until: Annotated[str, typer.Option(help="Take no more rows after that time: 06:00, 8h.")] = "",
    budget: Annotated[int, typer.Option(min=0, help="Hand in at most so many samples; 0: any number.")] = 0,
    on_existing: Annotated[
        str, typer.Option(help="Speakers who were enrolled before: augment them, skip or fail their rows.")
    ] = "augment",
    goal: Annotated[str, typer.Option(help=f"Enough for a speaker: {', '.join(_QUALITIES)}.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Enroll everybody in a manifest. Ctrl-C is safe, and the same command goes on.

    Exit code 0 if all became complete, 5 if a retry may help, 7 if it was cancelled, 9 if there was nothing to do, 10
    if time or budget is over and rows are left.
    """
    _known(on_existing, _EXISTING, "on-existing")
    _known(goal, ("", *_QUALITIES), "goal")
    bounds = {"until": deadline(until).isoformat() if until else "", "budget": str(budget or "")}
    options = bounds | {"name": name, "onExisting": on_existing, "quality": goal}
    with at_hand(manifest) as (path, folder):
        batch, is_new, reasons = _run(path, folder, options, wait=wait, quiet=as_json)
    if as_json:
        as_data(batch.wire() | {"reasons": dict(reasons)})
    else:
        _print(batch, is_new=is_new, reasons=reasons)
    if code := _exit_code(batch, is_new=is_new):
        raise typer.Exit(int(code))


def _run(
    path: Path, folder: str, options: dict[str, str], *, wait: bool, quiet: bool
) -> tuple[Batch, bool, Counter[str]]:
    """The batch as it is in the end, whether there was anything to do, and how often which reason was told."""
    known: list[Batch] = []

    async def follow() -> tuple[Batch, bool, Counter[str]]:
        async with Client() as client:
            batch = await _begun(client, path, folder, options)
            known.append(batch)
            if not batch.is_working:
                return batch, False, Counter()
            with pace(quiet=quiet) as shown:
                async for found in client.watch_batch(batch.batch_id):
                    batch = found
                    await shown.show(client, batch)
                    if not wait:
                        return batch, True, Counter()
            return batch, True, await _reasons(client, batch)

    try:
        return asyncio.run(follow())
    except KeyboardInterrupt:
        if known:
            command = f"`voxroll batches pause {known[0].batch_id}`"
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


def _print(batch: Batch, *, is_new: bool, reasons: Counter[str]) -> None:
    rows, speakers = batch.rows, {state: number for state, number in batch.speakers.items() if number}
    told = ", ".join(f"{number:,} {state}" for state, number in speakers.items()) or "nobody"
    why = f" ({escape(batch.why)})" if batch.why else ""
    out.print(f"[bold]{escape(batch.batch_id)}[/] {batch.state}{why}: {told}; {batch.calls:,} calls")
    fates = ("taken", "bad", "skipped", "blocked")
    out.print(f"rows: {rows.read:,} of {rows.total or 0:,}: {', '.join(f'{getattr(rows, f):,} {f}' for f in fates)}")
    if reasons:
        out.print("why not: " + ", ".join(f"{code} {number:,}" for code, number in reasons.items()))
    if not is_new:
        err.print("nothing to do: this manifest was run before; another --name runs it once more")
    if batch.state == "completed_with_errors":
        err.print(f"[dim]`voxroll batches report {batch.batch_id}` has every reason, `--rerun` what may succeed[/]")


def _exit_code(batch: Batch, *, is_new: bool) -> Exit:
    if not is_new and batch.state != "cancelled":
        return Exit.NOTHING
    match batch.state:
        case "completed_with_errors":
            return Exit.INCOMPLETE
        case "cancelled":
            return Exit.FATAL
        case "expired":
            return Exit.LIMIT
        case "paused":
            return Exit.LIMIT if (batch.why or "").startswith("budget") else Exit.INCOMPLETE
        case _:
            return Exit.OK


def _known(text: str, words: tuple[str, ...], what: str) -> None:
    if text not in words:
        message = f"{text!r}: --{what} is one of {', '.join(filter(None, words))}"
        raise CommandError("bad_usage", message, exit_code=Exit.USAGE)
