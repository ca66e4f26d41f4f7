"""`voxroll up`: the whole line on this machine, until Ctrl-C."""

import asyncio
import sys
from contextlib import suppress
from typing import Annotated

import typer
from rich.markup import escape
from rich.panel import Panel

from config.settings import Settings, load
from voxroll.show import JsonOption, err, out, rows, table
from voxroll.up.ending import Ending, StoppedError
from voxroll.up.follow import follow
from voxroll.up.note import Running


def up(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the processes log.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run everything on this machine: database, engine, front door, worker. Ctrl-C ends all of it."""
    asyncio.run(_up(load(), verbose=verbose, as_json=as_json))


async def _up(settings: Settings, *, verbose: bool, as_json: bool) -> None:
    from voxroll.up.supervisor import line  # noqa: PLC0415  (redis: only this command pays for it)

    ending = Ending()
    ending.by_signals()
    logs = settings.data_dir.absolute() / "logs"
    following = asyncio.create_task(follow(logs, _show)) if verbose else None
    try:
        with suppress(StoppedError), err.status("starting") as doing:
            async with line(settings, ending, say=lambda text: err.print(f"[dim]{escape(text)}[/]")) as running:
                doing.stop()
                _announce(running, settings, as_json=as_json)
                await ending.asked.wait()
                err.print("[dim]ending: worker, front door, engine, database (Ctrl-C again: at once)[/]")
        if ending.failure is not None:
            raise ending.failure
    finally:
        if following is not None:
            following.cancel()


def _show(text: str) -> None:
    err.print(text, markup=False, soft_wrap=True)


def _announce(running: Running, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(running.model_dump_json() + "\n")  # one line, so that a program can wait for it
        sys.stdout.flush()
        return
    database = "Valkey, embedded" if running.redis_url.startswith("unix://") else "Redis, named in VOXROLL_REDIS_URL"
    engine = "enrollment API, embedded" if running.own_engine else "enrollment API, named in VOXROLL_API_BASE_URL"
    places = [
        ("front door", f"[bold]{escape(running.url)}[/]", "POST /v1/enrollments, GET /v1/speakers"),
        ("engine", escape(running.engine_url), engine),
        ("database", escape(str(settings.data_dir.absolute() / "valkey")), database),
        ("logs", escape(str(settings.data_dir.absolute() / "logs")), "one file per process"),
    ]
    out.print(Panel(rows(table("", "", ""), places), title="Voxroll is up", title_align="left", expand=False))
    out.print(
        "In another shell:  [bold]voxroll enroll anna monday.wav tuesday.mp3[/]   then   [bold]voxroll why anna[/]"
    )
    out.print("[dim]Ctrl-C ends everything; nothing that was accepted is lost.[/]")
