"""`voxroll engine`, `webhook` and `worker`: one process alone, as in production, set up by its environment.

This process becomes `python -m ROOM`, so that signals and exit codes are the room's own.
"""

import os
import sys
from typing import NoReturn

import typer


def engine(context: typer.Context) -> None:
    """Run the embedded enrollment service alone."""
    _become("engine", context.args)


def webhook(context: typer.Context) -> None:
    """Run the front door alone: webhookUrl and the HTTP API."""
    _become("webhook", context.args)


def worker(context: typer.Context) -> None:
    """Run the workshop alone; as many of them as you like. `--check` only looks and reports."""
    _become("worker", context.args)


def _become(room: str, arguments: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", room, *arguments])  # noqa: S606  (our own module, no shell)
