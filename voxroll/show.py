"""How commands speak: answers to standard output, everything else to standard error.

`told` wraps a command: expected errors become one red line (or one JSON object under `--json`) and an exit code.
Nothing here knows what is shown.
"""

import functools
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Annotated, ParamSpec

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config.settings import SettingsError
from voxroll.failure import CommandError, Exit

P = ParamSpec("P")
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]

_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")  # within a paragraph
_PIPED_WIDTH = 120  # a pipe or a CI log has no width of its own; rich would take 80


def _console(*, stderr: bool) -> Console:
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPED_WIDTH
    return made


out = _console(stderr=False)
err = _console(stderr=True)


def told(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the expected errors of a command into a message and an exit code, and its docstring into flowing help."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except CommandError as error:
            _refuse(error, as_json=bool(kwargs.get("as_json")))
        except SettingsError as error:
            _refuse(CommandError("bad_settings", str(error), exit_code=Exit.SETTINGS), as_json=False)
        except BrokenPipeError:
            sys.stderr.close()  # the reader went away (`| head`): nothing is wrong, and nobody is left to tell

    run.__doc__ = _LINE_END.sub(" ", inspect.cleandoc(command.__doc__ or ""))
    return run


def _refuse(error: CommandError, *, as_json: bool) -> None:
    if as_json:
        as_data({"error": error.context()})
    else:
        complain(error)
    raise typer.Exit(int(error.exit_code)) from error


def complain(error: CommandError, *, about: str = "") -> None:
    """Print an error to standard error, with what it is about before it."""
    before = f"[bold]{escape(about)}[/]  " if about else ""
    err.print(f"{before}[red]{escape(error.code)}[/]: {escape(error.message)}", soft_wrap=True)


def as_data(value: object) -> None:
    """Print JSON to standard output, whatever the terminal's width."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def table(*columns: str, title: str | None = None) -> Table:
    """A plain table; a column whose name begins with `>` holds numbers."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        name = column.removeprefix(">")
        right = column.startswith(">")
        made.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return made


def rows(made: Table, cells: Iterable[Iterable[object]]) -> Table:
    """Fill a table; cells may hold markup."""
    for row in cells:
        made.add_row(*(str(cell) for cell in row))
    return made


def clock(seconds: float) -> str:
    """`02:14.5`, as players show it."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02d}:{rest:04.1f}"
