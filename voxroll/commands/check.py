"""`voxroll check`: which recordings will do, which stretch of each, and what is wrong with the others. Offline."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from config.settings import Settings, load
from voxroll.failure import CommandError, Exit
from voxroll.progress import steps
from voxroll.show import JsonOption, as_data, clock, err, out, rows, table

if TYPE_CHECKING:  # onnxruntime: only this command pays for it, when it runs
    from voxroll.checking import Verdict


def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Recordings, or folders of them, all the way down.")
    ],
    *,
    channel: Annotated[
        int | None, typer.Option(min=0, help="The channel the speaker is on, from 0; by default all are mixed.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Recordings at one time; 0: one per core.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Judge recordings on this machine, before anything is sent: usable or not, from where to where, and why not.

    Exit code 0 if all are usable, 5 if some are not, 9 if there was nothing to check.
    """
    from voxroll.checking import files_of  # noqa: PLC0415

    files, settings = files_of(paths), load()
    if not files:
        where = ", ".join(map(str, paths))
        raise CommandError("no_files", f"no recordings in {where}", exit_code=Exit.NOTHING)
    began = time.monotonic()
    verdicts = _judged(files, settings, channel=channel, threads=threads, quiet=as_json)
    _show(verdicts, seconds=time.monotonic() - began, as_json=as_json)
    if any(verdict.refusal for verdict in verdicts):
        raise typer.Exit(int(Exit.INCOMPLETE))


def _judged(
    files: Sequence[Path], settings: Settings, *, channel: int | None, threads: int, quiet: bool
) -> "list[Verdict]":
    from engine.voice import apart, model, preflight, voice  # noqa: PLC0415
    from voxroll.checking import Judge  # noqa: PLC0415

    with steps(quiet=quiet) as progress, apart.Decoders() as decoders:
        try:
            folder = model.ensure(settings.cache_dir, name=settings.engine.model, progress=_say)
        except model.ModelError as error:
            raise CommandError(error.code, error.message, exit_code=Exit.UNAVAILABLE) from error
        progress.total("checking", len(files))
        verdicts, heard_s, began = [], 0.0, time.monotonic()
        judge = Judge(
            voice=voice.Voice.load(folder),
            decoders=decoders,
            rules=preflight.Rules.for_profile(settings.profile),
            channel=channel,
            limit_s=settings.intake.scan_limit.total_seconds(),
        )
        for verdict in judge.all_of(files, threads=threads or len(os.sched_getaffinity(0))):
            verdicts.append(verdict)
            heard_s += verdict.duration_s
            progress.step(
                f"{heard_s / max(time.monotonic() - began, 1e-3):,.0f}x real time, {ascii(verdict.file.name)[1:-1]}"
            )
    return verdicts


def _say(text: str) -> None:
    err.print(escape(text), soft_wrap=True)


def _show(verdicts: "Sequence[Verdict]", *, seconds: float, as_json: bool) -> None:
    usable = sum(verdict.refusal is None for verdict in verdicts)
    heard_s = sum(verdict.duration_s for verdict in verdicts)
    if as_json:
        summary = {"usable": usable, "refused": len(verdicts) - usable, "audioS": round(heard_s, 3)}
        as_data({"files": [verdict.wire() for verdict in verdicts], **summary, "seconds": round(seconds, 3)})
        return
    folder = _common([verdict.file for verdict in verdicts])
    made = table("recording", "verdict", ">from", ">to", ">speech", ">SNR", "what to know")
    out.print(rows(made, ([_name(verdict.file, folder), *_cells(verdict)] for verdict in verdicts)))
    codes = Counter(verdict.refusal.code for verdict in verdicts if verdict.refusal)
    why = ", ".join(f"{number} {code}" for code, number in codes.most_common())
    refused = f", [red]{len(verdicts) - usable} not[/]: {why}" if codes else ""
    rate = heard_s / max(seconds, 1e-3)
    out.print(
        f"[green]{usable} usable[/]{refused}; {clock(heard_s)} of audio in {seconds:.1f} s, {rate:,.0f} times real time"
    )


def _common(files: Sequence[Path]) -> Path | None:
    """The folder that all files are in, where they are several and it has a name."""
    common = (
        Path(os.path.commonpath(files)) if len(files) > 1 and len({file.is_absolute() for file in files}) == 1 else None
    )
    return common if common and common.name else None


def _name(file: Path, folder: Path | None) -> str:
    from voxroll.checking import readable  # noqa: PLC0415

    return f"[bold]{escape(readable(file.relative_to(folder) if folder else file))}[/]"


def _cells(verdict: "Verdict") -> list[str]:
    if verdict.refusal:
        return [f"[red]{escape(verdict.refusal.code)}[/]", "", "", "", "", escape(verdict.refusal.message)]
    if not verdict.window:
        raise AssertionError(verdict.file)
    window, found = verdict.window, verdict.window.measures
    return [
        "[green]usable[/]",
        clock(window.start_s),
        clock(window.end_s),
        f"{found.speech_s:.1f} s",
        f"{found.snr_db:.0f} dB",
        "[dim]telephone band: grades stay lower[/]" if found.narrow_band else "",
    ]
