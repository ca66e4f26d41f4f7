"""`voxroll check`: which recordings will do, which stretch of each, and what is wrong with the others. Offline."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from config.settings import Settings, load
from voxroll.failure import CommandError, Exit
from voxroll.progress import steps
from voxroll.show import JsonOption, as_data, complain, err, out

if TYPE_CHECKING:  # onnxruntime: only this command pays for it, when it runs
    from voxroll.asked import Asked
    from voxroll.checking import Judge, Verdict

_PAGES = frozenset({".html", ".htm"})


def check(  # noqa: PLR0913  (one argument per option of the command)
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|MANIFEST...",
            help="Recordings; folders of them, all the way down; manifests (.csv, .jsonl) whose rows name them.",
        ),
    ],
    *,
    channel: Annotated[
        int | None, typer.Option(min=0, help="The channel the speaker is on, from 0; by default it is found out.")
    ] = None,
    windows: Annotated[int, typer.Option(min=1, help="Stretches to find in each recording, best first.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Recordings at one time; 0: one per core.")] = 0,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page too, to look at and to listen to.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge recordings on this machine, before anything is sent: usable or not, from where to where, and why not.

    Exit code 0 if all are usable, 5 if some are not, 9 if there was nothing to check.
    """
    if html:
        _refuse_page(html)
    asked, settings = _asked(paths), load()
    began = time.monotonic()
    verdicts = _judged(asked, settings, channel=channel, want=windows, threads=threads, quiet=as_json)
    seconds = time.monotonic() - began
    if as_json:
        from voxroll.checked import document  # noqa: PLC0415

        as_data(document(verdicts, seconds=seconds))
    else:
        from voxroll.commands.verdicts import print_verdicts  # noqa: PLC0415

        print_verdicts(out, verdicts, seconds=seconds)
    if html:
        _write_page(html, verdicts)
    if any(verdict.refusal for verdict in verdicts):
        raise typer.Exit(int(Exit.INCOMPLETE))


def _asked(paths: Sequence[str]) -> "list[Asked]":
    from voxroll.asked import asked_of, is_address  # noqa: PLC0415

    if address := next(filter(is_address, paths), None):
        message = f"{address} is an address, and this looks at files alone; download it and name the file"
        raise CommandError("unreadable_source", message, exit_code=Exit.USAGE)
    try:
        asked = asked_of(map(Path, paths))
    except OSError as error:
        message = f"{error.filename}: {error.strerror}; let it be read by who runs this"
        raise CommandError("unreadable_source", message) from error
    if not asked:
        where = ", ".join(paths)
        raise CommandError("no_files", f"no recordings in {where}", exit_code=Exit.NOTHING)
    return asked


def _judged(  # noqa: PLR0913  (as above)
    asked: "Sequence[Asked]", settings: Settings, *, channel: int | None, want: int, threads: int, quiet: bool
) -> "list[Verdict]":
    with steps(quiet=quiet) as progress, judging(settings, channel=channel, want=want) as judge:
        progress.total("checking", len(asked))
        verdicts, heard_s, began = [], 0.0, time.monotonic()
        for verdict in judge.all_of(asked, threads=threads or len(os.sched_getaffinity(0))):
            verdicts.append(verdict)
            heard_s += verdict.duration_s
            progress.step(
                f"{heard_s / max(time.monotonic() - began, 1e-3):,.0f}x real time, {ascii(verdict.file.name)[1:-1]}"
            )
    return verdicts


@contextmanager
def judging(
    settings: Settings, *, channel: int | None = None, want: int = 1, prints: bool = False
) -> "Iterator[Judge]":
    """Who judges recordings, by the rules of these settings.

    Raises:
        CommandError: the model is not there.
    """
    from engine.voice import apart, model, preflight, voice  # noqa: PLC0415
    from voxroll.checking import Judge  # noqa: PLC0415

    with apart.Decoders() as decoders:
        try:
            folder = model.ensure(settings.cache_dir, name=settings.engine.model, progress=_say)
        except model.ModelError as error:
            raise CommandError(error.code, error.message, exit_code=Exit.UNAVAILABLE) from error
        yield Judge(
            voice=voice.Voice.load(folder),
            decoders=decoders,
            rules=preflight.Rules.for_profile(settings.profile),
            limit_s=settings.intake.scan_limit.total_seconds(),
            channel=channel,
            want=want,
            prints=prints,
        )


def _refuse_page(page: Path) -> None:
    """Before the work: a page that could not be written, or would take the place of something else."""
    wrong = None
    try:
        if page.is_dir():
            wrong = "is a folder; name a file"
        elif page.suffix.lower() not in _PAGES:
            wrong = "is no name of a page, and might be a recording's; end it in .html"
        elif not os.access(page.parent, os.W_OK):
            wrong = "can't be written there; name another folder"
    except OSError as error:
        wrong = f"can't be written: {error.strerror}"
    if wrong:
        raise CommandError("bad_usage", f"--html: {page} {wrong}", exit_code=Exit.USAGE)


def _write_page(page: Path, verdicts: "Sequence[Verdict]") -> None:
    from voxroll.report import write  # noqa: PLC0415

    try:
        write(page, verdicts)
    except OSError as error:  # the answer stands on standard output already, so this is told beside it
        complain(CommandError("page_unwritten", f"{page}: {error.strerror}; nothing was written there"))
        raise typer.Exit(int(Exit.FAILED)) from error
    _say(f"The page lies in {page}")


def _say(text: str) -> None:
    err.print(escape(text), soft_wrap=True)
