"""`voxroll migrate`: enroll everybody anew at another provider, from the clips and recipes that are kept.

The worker does it (`python -m worker --migrate`), as another account over the same store; the enrollments at the
provider of now stay as they are, and so does this account. Interrupted, the same command goes on. In the end it says
how each speaker stands there beside here, and which settings make the other account the one that is used.
"""

import csv
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from config.settings import Settings, load
from voxroll.commands.duration import seconds
from voxroll.commands.lines import lines
from voxroll.failure import CommandError, Exit
from voxroll.progress import Steps, steps
from voxroll.running import adopt
from voxroll.show import JsonOption, as_data, err, out, rows, table
from voxroll.up.child import tail_of

_ACCOUNT = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MEASURED = ("complete", "quality", "samples")
_COLUMNS = (
    *("speakerId", "parity"),
    *(f"{name}{when}" for name in _MEASURED for when in ("Before", "After")),
    *("lost", "refused", "reasons"),
)
_SHOWN = 20  # lines of a table; the files have them all
_FINE = frozenset({"at_parity", "erased", "not_enrolled"})
_CREDENTIALS = ("CLIENT_ID", "CLIENT_SECRET", "JWT")


def migrate(  # noqa: PLR0913  (one argument per option of the command)
    *,
    to: Annotated[str, typer.Option("--to", metavar="BASE_URL", help="Base URL of the other provider's API.")],
    name: Annotated[str, typer.Option("--as", help="Account that is made; else named after the host.")] = "",
    calls: Annotated[
        int, typer.Option(min=0, help="At most so many calls there in a window; 0: as many as it tells of.")
    ] = 0,
    window: Annotated[str, typer.Option(help="The window that they count in: 60s, 2m.")] = "60s",
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Where parity.csv and parity.jsonl go.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Enroll everybody anew at another provider, and say how each stands there. The same command goes on.

    Its credentials are read from VOXROLL_TO_CLIENT_ID, VOXROLL_TO_CLIENT_SECRET and VOXROLL_TO_JWT. Exit code 0 if
    everybody stands there at least as well; 5 if not, and the same command may help; 7 if not, and it won't; 9 if
    nobody is enrolled.
    """
    adopt(load())
    here = load()
    account = _account(here, to, name)
    there = _environment(to.rstrip("/"), account, calls=calls, window_s=seconds(window))
    with steps(quiet=as_json) as progress:
        found, summary = _moved(here.account, there, into, progress)
    if as_json:
        as_data(summary | {"account": account, "files": [str(into / "parity.csv"), str(into / "parity.jsonl")]})
    else:
        _print(found, summary, into)
        _print_switch(to, account)
    if code := exit_code(summary):
        raise typer.Exit(int(code))


def _account(here: Settings, to: str, name: str) -> str:
    """The name of the other account.

    Raises:
        CommandError: `bad_usage`, `same_provider`, `same_account`.
    """
    parts = urlsplit(to)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError("bad_usage", f"{to!r}: --to is an http(s): URL", exit_code=Exit.USAGE)
    if to.rstrip("/") == here.api.base_url.rstrip("/"):
        raise CommandError("same_provider", f"{to} is where everybody is enrolled now", exit_code=Exit.USAGE)
    made = name or re.sub(r"[^a-zA-Z0-9_-]", "_", f"{here.account}-{parts.netloc}")[:64]
    if not _ACCOUNT.fullmatch(made):
        message = f"{made!r}: --as takes up to 64 letters, digits, dashes and underscores"
        raise CommandError("bad_usage", message, exit_code=Exit.USAGE)
    if made == here.account:
        raise CommandError("same_account", f"{made} is the account of now; name another by --as", exit_code=Exit.USAGE)
    return made


def _environment(to: str, account: str, *, calls: int, window_s: float) -> dict[str, str]:
    """That of a worker for the other account: it waits for each answer, as callbacks would come to this one."""
    given = {f"VOXROLL_API_{name}": os.environ.get(f"VOXROLL_TO_{name}", "") for name in _CREDENTIALS}
    mine = {f"VOXROLL_API_{name}" for name in _CREDENTIALS}
    kept = {name: value for name, value in os.environ.items() if name not in mine}
    return (
        kept
        | {name: value for name, value in given.items() if value}
        | {
            "VOXROLL_ACCOUNT": account,
            "VOXROLL_API_BASE_URL": to,
            "VOXROLL_API_CALLBACKS": "false",
            "VOXROLL_API_CALLS": str(calls),
            "VOXROLL_API_WINDOW": f"{window_s}s",
        }
    )


def _moved(
    source: str, there: dict[str, str], into: Path, progress: Steps
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Those who do not stand there as well, some of them, and the sums; everybody is in the files."""
    found: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    total = 0
    into.mkdir(parents=True, exist_ok=True)
    files = {kind: into / f"parity.{kind}" for kind in ("jsonl", "csv")}
    parts = {kind: path.with_name(f"{path.name}.part") for kind, path in files.items()}
    with parts["jsonl"].open("w") as told, parts["csv"].open("w", newline="") as cells:
        written = csv.writer(cells)
        written.writerow(_COLUMNS)
        for line in lines("--migrate", source, failed=_interrupted, environment=there):
            match line.pop("type"):
                case "progress":
                    if line["speakers"] != total:
                        progress.total("speakers moved", total := line["speakers"])
                    progress.at(line["done"])
                case "speaker":
                    told.write(json.dumps(line) + "\n")
                    written.writerow(_row(line))
                    if line["parity"] not in _FINE and len(found) < _SHOWN:
                        found.append(line)
                case _:
                    summary = line
    for kind, path in files.items():
        parts[kind].replace(path)
    return found, summary


def _interrupted(log: str) -> CommandError:
    message = f"it came to no end; the same command goes on: {tail_of(log, 3)}"
    return CommandError("migration_interrupted", message, exit_code=Exit.UNAVAILABLE)


def _row(line: dict[str, Any]) -> list[Any]:
    before, after = line["before"], line["after"]
    reasons = "; ".join(": ".join(filter(None, one.values())) for one in line["reasons"])
    pairs = [(before[name], after[name]) for name in _MEASURED]
    told = [cell for pair in pairs for cell in pair]
    return [line["speakerId"], line["parity"], *told, "; ".join(line["lost"]), line["refused"], reasons]


def _print(found: list[dict[str, Any]], summary: dict[str, Any], into: Path) -> None:
    if found:
        made = table("speaker", "parity", "before", "after", "why")
        out.print(rows(made, (_cells(one) for one in found)))
    told = ", ".join(f"{number:,} {parity}" for parity, number in summary["speakers"].items() if number) or "nobody"
    sums = ", ".join(f"{number:,} {what}" for what, number in summary["samples"].items())
    out.print(f"{told}; samples there: {sums}")
    err.print(f"[dim]everybody: {escape(str(into / 'parity.csv'))}, {escape(str(into / 'parity.jsonl'))}[/]")


def _cells(line: dict[str, Any]) -> list[str]:
    grades = [f"{one['quality'] or '-'}{'' if one['complete'] else ' (not complete)'}" for one in _both(line)]
    why = [f"{name} is lost" for name in line["lost"]] + [str(one["code"]) for one in line["reasons"]]
    return [f"[bold]{escape(line['speakerId'])}[/]", line["parity"], *grades, escape(", ".join(why))]


def _both(line: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return line["before"], line["after"]


def _print_switch(to: str, account: str) -> None:
    given = [f"VOXROLL_API_{name} (what VOXROLL_TO_{name} is)" for name in _CREDENTIALS]
    out.print(
        f"to switch over, end `voxroll up` and start it with VOXROLL_ACCOUNT={escape(account)}, "
        f"VOXROLL_API_BASE_URL={escape(to.rstrip('/'))}, {', '.join(given)}; nothing of the old account is deleted"
    )


def exit_code(summary: dict[str, Any]) -> Exit:
    """What the command ends with."""
    speakers = summary["speakers"]
    if not any(number for parity, number in speakers.items() if parity != "not_enrolled"):
        return Exit.NOTHING
    if all(not number or parity in _FINE for parity, number in speakers.items()):
        return Exit.OK
    return Exit.INCOMPLETE if summary["mayPass"] else Exit.FATAL
