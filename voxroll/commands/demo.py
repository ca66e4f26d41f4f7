"""`voxroll demo`: enroll real voices on this machine, recognise them again, and say whether all went as expected."""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from voxroll.failure import Exit
from voxroll.progress import steps
from voxroll.show import JsonOption, as_data, err, out
from voxroll.up.ending import StoppedError

if TYPE_CHECKING:
    from voxroll.demo.run import Demo

REPORT = Path("demo-report.json")


def demo(*, as_json: JsonOption = False) -> None:
    """Enroll seven real voices and recognise them again; everything runs on this machine and is gone afterwards."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="voxroll-demo-"))
    try:
        played = _play(folder, quiet=as_json)
    except StoppedError:
        shutil.rmtree(folder)
        err.print("[dim]ended; nothing is left running[/]")
        raise typer.Exit(int(Exit.FAILED)) from None
    except BaseException:
        err.print(f"[dim]the logs are in {escape(str(folder))}[/]")
        raise
    surprises = played.surprises()
    if as_json:
        as_data({"speakers": played.report(), "surprises": surprises})
    else:
        _show(played)
        _conclude(played, surprises, seconds=time.monotonic() - began)
    if surprises:
        err.print(f"[dim]recordings and logs are kept in {escape(str(folder))}[/]")
        raise typer.Exit(int(Exit.FAILED))
    shutil.rmtree(folder)


def _play(folder: Path, *, quiet: bool) -> "Demo":
    from voxroll.demo.run import play  # noqa: PLC0415  (numpy and FFmpeg: only this command pays for them)
    from voxroll.demo.tell import Tell  # noqa: PLC0415  (the same)

    with steps(quiet=quiet) as progress:
        played = asyncio.run(play(folder, progress, Tell(quiet=quiet)))
    played.write(REPORT)
    return played


def _show(played: "Demo") -> None:
    out.print()
    out.print(played.enrolled_table())
    out.print()
    out.print(played.recognised_table())
    out.print()


def _conclude(played: "Demo", surprises: list[str], *, seconds: float) -> None:
    if played.synthetic:
        out.print(
            "[yellow]The voices were synthetic: this shows that the line works, not how well voices are told apart.[/]"
        )
    for surprise in surprises:
        out.print(f"[red]✗[/] not as expected: {escape(surprise)}")
    if not surprises:
        out.print(f"[green]✓[/] all as expected, in {seconds:.0f} s; everything has been stopped")
    out.print(f"[dim]{REPORT} has the details; `voxroll up` runs the same line for your own recordings[/]")
