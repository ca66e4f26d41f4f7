"""`voxroll doctor`: look at everything that the line needs, and say what to do about what is missing.

The worker looks at Redis, the API, webhookUrl, the clock and the object store (`python -m worker --check`), with the
settings of the running `voxroll up` where there is one; the front door and the model are looked at here. Nothing is
changed.
"""

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

import typer
from rich.markup import escape

from config.settings import Settings, load
from voxroll.client import Client
from voxroll.failure import CommandError, Exit
from voxroll.running import adopt, front_door
from voxroll.show import JsonOption, as_data, err, out, rows, table
from voxroll.up.child import tail_of
from voxroll.up.model import missing
from voxroll.up.readiness import describe

_CHECK_S = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def doctor(*, as_json: JsonOption = False) -> None:
    """Check Redis, API, webhookUrl, front door, object store, model and clock; exit code 1 if anything is wrong."""
    adopted = adopt(load())
    settings = load()
    with err.status("looking"):
        found = [*asyncio.run(_front_door(settings)), _model(settings), *_worker()]
    if as_json:
        as_data([asdict(check) for check in found])
    else:
        _show(found, running=bool(adopted))
    if not all(check.ok for check in found):
        raise typer.Exit(int(Exit.FAILED))


def _show(found: list[Check], *, running: bool) -> None:
    whose = "those of the running `voxroll up`" if running else "from the environment; no `voxroll up` runs here"
    err.print(f"[dim]settings: {whose}[/]")
    cells = [[_mark(check), f"[bold]{escape(check.name)}[/]", escape(check.detail), _hint(check)] for check in found]
    columns = ["", "check", "found", "what to do"]
    shown = 3 if all(check.ok for check in found) else 4  # nothing is wrong: nothing is to do
    out.print(rows(table(*columns[:shown]), (row[:shown] for row in cells)))


def _mark(check: Check) -> str:
    return "[green]✓[/]" if check.ok else "[red]✗[/]"


def _hint(check: Check) -> str:
    return "" if check.ok else f"[yellow]{escape(check.hint)}[/]"


async def _front_door(settings: Settings) -> list[Check]:
    url = front_door(settings)
    try:
        async with Client(url) as client:
            ready, body = await client.ready()
    except CommandError as error:
        return [Check("front_door", ok=False, detail=error.message, hint="start it: `voxroll up`")]
    if not ready:
        return [Check("front_door", ok=False, detail=f"{url} is not ready: {describe(body)}", hint="look into its log")]
    return [Check("front_door", ok=True, detail=f"{url} is ready"), *_documents(describe(body))]


def _documents(wrong: str) -> list[Check]:
    """What was kept and can't be read; nothing is said where everything can."""
    hint = "`voxroll endpoints remove ID` and add it anew, hand the batch in anew, or run the newer version again"
    return [Check("documents", ok=False, detail=wrong.removeprefix("documents: "), hint=hint)] if wrong else []


def _model(settings: Settings) -> Check:
    name, models = settings.engine.model, settings.cache_dir / "models"
    absent = missing(settings)
    if not absent:
        return Check("model", ok=True, detail=f"{name} in {models / name}")
    names = " and ".join(folder.name for folder in absent)
    return Check("model", ok=False, detail=f"{names} not in {models}", hint="`voxroll model fetch`")


def _worker() -> list[Check]:
    """What the worker's own look gives; one failed check where it can't even look."""
    try:
        process = subprocess.run(
            [sys.executable, "-P", "-m", "worker", "--check"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CHECK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [Check("worker", ok=False, detail=f"no result within {_CHECK_S} s", hint="`voxroll worker --check`")]
    try:
        return [_read(entry) for entry in json.loads(process.stdout)]
    except (ValueError, TypeError, KeyError):
        said = tail_of(process.stderr or process.stdout, 3)
        detail = f"`voxroll worker --check` ended with {process.returncode}: {said}"
        return [Check("worker", ok=False, detail=detail, hint="see the message; `voxroll config` shows the settings")]


def _read(entry: dict[str, Any]) -> Check:
    return Check(
        str(entry["name"]), ok=bool(entry["ok"]), detail=str(entry["detail"]), hint=str(entry.get("hint") or "")
    )
