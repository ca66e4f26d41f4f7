"""`voxroll engine`, `webhook` and `worker`: one process alone, as in production, set up by its environment.

This process becomes `python -m ROOM`, so that signals and exit codes are the room's own.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer

from config.settings import load
from voxroll.running import adopt

FAULTS_HELP = (
    "Behave badly, to test what depends on it: a list of modes, each with a number after `=` if the usual one "
    "will not do. flaky: a share of calls (0.5: every other) is answered 500, nothing done. slow: an answer takes"
    " up to so many seconds (3). late: the answer to a change comes after so many seconds (35), the change is "
    "applied at once. early: a 202 comes after its callback. silent: no callbacks. dropping: a share of callbacks"
    " (0.2) is never sent. duplicating: a share of callbacks (1) comes three times. reordering: callbacks come up"
    " to so many seconds (2) later, each by itself. penalising: RingCentral's limit, 10 calls a minute, then a "
    "minute's penalty."
)

RESEAL_HELP = (
    "Run nothing: seal all voiceprints under VOXROLL_ENGINE_VOICE_KEY, and end. The keys before it are named in "
    "VOXROLL_ENGINE_FORMER_VOICE_KEYS. May run beside engines that have the new key, be stopped and started again."
)

RESEAL_WORKERS_HELP = (
    "Run nothing: seal the gallery and all prints under VOXROLL_WORKER_VOICE_KEY, and end. The keys before it are "
    "named in VOXROLL_WORKER_FORMER_VOICE_KEYS. May run beside workers that have the new key."
)

ROLE_HELP = (
    "Take requests only (`api`), work off jobs only (`work`: as many of them as you like), or both (`all`). "
    "VOXROLL_ENGINE_ROLE says the same."
)


def engine(
    context: typer.Context,
    *,
    faults: Annotated[str, typer.Option(metavar="MODE,MODE=NUMBER...", help=FAULTS_HELP)] = "",
    seed: Annotated[int | None, typer.Option(help="Decides which calls and callbacks the faults hit.")] = None,
    role: Annotated[str, typer.Option(metavar="all|api|work", help=ROLE_HELP)] = "",
    reseal: Annotated[bool, typer.Option("--reseal", help=RESEAL_HELP)] = False,
) -> None:
    """Run the embedded enrollment service alone."""
    if reseal:
        adopt(load())
        _become("engine", ["--reseal"])
    if role:
        os.environ["VOXROLL_ENGINE_ROLE"] = role
    if faults:
        os.environ["VOXROLL_ENGINE_FAULTS"] = faults
    if seed is not None:
        os.environ["VOXROLL_ENGINE_FAULTS_SEED"] = str(seed)
    _become("engine", context.args)


def webhook(context: typer.Context) -> None:
    """Run the front door alone: webhookUrl and the HTTP API."""
    _become("webhook", context.args)


def worker(
    context: typer.Context,
    *,
    reseal: Annotated[bool, typer.Option("--reseal", help=RESEAL_WORKERS_HELP)] = False,
) -> None:
    """Run the workshop alone; as many of them as you like. `--check` only looks and reports."""
    if reseal:
        adopt(load())
        _become("worker", ["--reseal"])
    _become("worker", context.args)


def _become(room: str, arguments: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", room, *arguments])  # noqa: S606  (our own module, no shell)
