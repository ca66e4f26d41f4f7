"""`voxroll keys create | list | revoke`: who may use the front door, and for what.

The front door's own process does it (`python -m webhook --keys`), with the settings of the running `voxroll up` where
there is one: whoever can reach Redis may.
"""

import json
import subprocess
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape

from config.settings import load
from voxroll.commands.duration import seconds
from voxroll.failure import CommandError, Exit
from voxroll.running import adopt
from voxroll.show import JsonOption, as_data, err, out, rows, table
from voxroll.up.child import refusal_of

_SCOPES = ("read", "enroll", "manage")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, for people.")],
    *,
    scopes: Annotated[
        str, typer.Option(help="read: speakers and events; enroll: hand in; manage: erase, decide, endpoints.")
    ] = "read,enroll",
    expires: Annotated[str, typer.Option(help="Ends after so long: 90d. Without it, when it is revoked.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make an API key, and show it once."""
    wanted = scopes.replace(" ", ",").strip(",").split(",")
    if wrong := [one for one in wanted if one not in _SCOPES]:
        message = f"{wrong[0]!r} is no scope; there are {', '.join(_SCOPES)}"
        raise CommandError("scope_unknown", message, exit_code=Exit.USAGE)
    ends_s = seconds(expires) if expires else 0.0
    told = _ask(f"--create={name}", f"--scopes={','.join(wanted)}", f"--expires-s={ends_s}")
    if as_json:
        as_data(told)
    else:
        out.print(f"[bold]{escape(told['key'])}[/]", soft_wrap=True)
        err.print("it is not shown again; send it as `Authorization: Bearer ...`, or set VOXROLL_KEY")


def list_(*, as_json: JsonOption = False) -> None:
    """List the keys that were made."""
    told = _ask()
    if as_json:
        as_data({"keys": told})
    elif not told:
        err.print("none; `voxroll keys create NAME` makes one")
    else:
        out.print(rows(table("key", "name", "scopes", "made", "ends", "state"), map(_cells, told)))


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a key, as `voxroll keys list` shows it.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Let a key open nothing any more, at once."""
    told = _ask(f"--revoke={key_id}")
    if told is None:
        raise CommandError("key_unknown", f"there is no key {key_id}; `voxroll keys list` shows those there are")
    if as_json:
        as_data(told)
    else:
        out.print(f"{escape(told['keyId'])} ({escape(told['name'])}) is revoked")


def _ask(*arguments: str) -> Any:
    adopt(load())
    command = [sys.executable, "-P", "-m", "webhook", "--keys", *arguments]
    ended = subprocess.run(  # noqa: S603  (our own module, no shell)
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    try:
        return json.loads(ended.stdout)
    except ValueError as error:
        raise refusal_of(ended.stderr, "keys_failed") from error


def _cells(key: dict[str, Any]) -> list[str]:
    state = "[red]revoked[/]" if key["revokedAt"] else "[green]on[/]"
    return [
        f"[bold]{escape(key['keyId'])}[/]",
        escape(key["name"]),
        " ".join(key["scopes"]),
        key["createdAt"][:10],
        (key["expiresAt"] or "-")[:10],
        state,
    ]
