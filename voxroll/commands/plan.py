"""`voxroll plan`: what a manifest would come to, before anything is sent; writes plan.jsonl, which `run` takes."""

import asyncio
import json
import os
import random
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from config.settings import Settings, load
from voxroll.commands.manifests import MANIFEST_HELP, at_hand
from voxroll.failure import CommandError, Exit
from voxroll.progress import steps
from voxroll.show import JsonOption, as_data, err, out
from voxroll.whole import written
from worker.contract import consent as reading_consent
from worker.contract import manifest as reading
from worker.contract.buckets import placed
from worker.contract.rows import BadRow, Row

if TYPE_CHECKING:  # onnxruntime: only this command pays for it, when it runs
    from voxroll.beforehand import Beforehand
    from voxroll.planning import Planning

_SEED = 0  # the same people are looked at every time
_AnyRow = Row | BadRow


def plan(  # noqa: PLR0913  (one argument per option of the command)
    manifest: Annotated[str, typer.Argument(metavar="MANIFEST", help=MANIFEST_HELP)],
    *,
    sample: Annotated[
        int, typer.Option(min=0, help="Look at so many people only, and estimate the rest; 0: look at everybody.")
    ] = 0,
    price: Annotated[float, typer.Option(min=0, help="Of one call, to tell what all would cost.")] = 0.0,
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Where plan.jsonl and plan.html go.")] = Path(),
    consent: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV or JSON lines of speakerId, consent[, from, to]; others are blocked."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Don't ask the front door who is enrolled or erased.")
    ] = False,
    threads: Annotated[int, typer.Option(min=0, help="Recordings at one time; 0: one per core.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Look at everybody in a manifest on this machine: who is ready, who is short, which calls it takes.

    A front door that answers is asked who is enrolled or erased; no recording and no voice leaves this machine. Exit
    code 0 if everybody is ready or enrolled, 5 if somebody is not or a row can't be read, 9 if there is nobody.
    """
    from voxroll import plan_file  # noqa: PLC0415
    from voxroll.planning import Planning  # noqa: PLC0415

    settings = load()
    try:
        _refuse_folder(into)
        with at_hand(manifest) as (path, folder):
            speakers, rows = _counted(path)
            chosen = _chosen(speakers, sample)
            known = _known(speakers if chosen is None else chosen, consent, offline=offline)
            with tempfile.TemporaryFile("w+", dir=into, encoding="utf-8") as kept:
                rows_there = (_placed(row, folder) for row in reading.read(path))
                wanted = (row for row in rows_there if chosen is None or _speaker(row) in chosen)
                number = rows if chosen is None else sum(speakers[name] for name in chosen)
                planning = Planning(settings.goal.samples, known)
                look = _Look(settings, threads or len(os.sched_getaffinity(0)), speakers, quiet=as_json)
                look.at(wanted, planning, number=number, keep=kept.write)
                if chosen is None:
                    plan_file.write(into / "plan.jsonl", kept, planning.doubted())
        scale = len(speakers) / len(chosen) if chosen else 1.0
        api = settings.api
        document = planning.document(calls=api.calls, window=api.window, price=price, scale=scale)
        _write_page(into / "plan.html", planning, document, name=Path(manifest).name)
    except OSError as error:
        message = f"{error.filename or manifest}: {error.strerror}; let it be read and written by who runs this"
        raise CommandError("unreadable_source", message) from error
    _tell(document, into=into, is_whole=chosen is None, as_json=as_json)
    if code := _exit_code(document):
        raise typer.Exit(int(code))


def _refuse_folder(into: Path) -> None:
    """Before the work: a folder that is none, or has a plan with a person's decisions in it."""
    if not into.is_dir():
        raise CommandError("no_such_folder", f"--into: {into} is no folder", exit_code=Exit.USAGE)
    from voxroll import plan_file  # noqa: PLC0415

    if number := plan_file.decided(into / "plan.jsonl"):
        message = f"{into / 'plan.jsonl'} holds {number} decisions of a review; move it away, or give another --into"
        raise CommandError("plan_reviewed", message, exit_code=Exit.USAGE)


def _counted(manifest: Path) -> tuple[dict[str, int], int]:
    """Rows of each speaker, and rows in all."""
    speakers: dict[str, int] = {}
    number = 0
    for row in reading.read(manifest):
        number += 1
        if name := _speaker(row):
            speakers[name] = speakers.get(name, 0) + 1
    return speakers, number


def _speaker(row: _AnyRow) -> str | None:
    return row.speaker_id if isinstance(row, Row) else None


def _chosen(speakers: dict[str, int], sample: int) -> frozenset[str] | None:
    """Who is looked at; None: everybody."""
    if not sample or sample >= len(speakers):
        return None
    return frozenset(random.Random(_SEED).sample(sorted(speakers), sample))  # noqa: S311 -- no secret


def _known(speaker_ids: Iterable[str], consent: Path | None, *, offline: bool) -> "Beforehand":
    """What is known of people before anything is looked at."""
    from voxroll.beforehand import Beforehand, asked  # noqa: PLC0415

    consents = reading_consent.read(consent, at=datetime.now(UTC)) if consent else None
    standings, unasked = ({}, "--offline") if offline else asyncio.run(asked(speaker_ids))
    return Beforehand(consents, standings, unasked)


@dataclass(frozen=True, slots=True)
class _Look:
    """How recordings are looked at."""

    settings: Settings
    threads: int
    speakers: dict[str, int]
    quiet: bool

    def at(self, rows: Iterable[_AnyRow], planning: "Planning", *, number: int, keep: Callable[[str], Any]) -> None:
        """Look at every recording that is not barred, add each row up, and keep those worth a run."""
        from voxroll.agreement import Agreement  # noqa: PLC0415
        from voxroll.alike import Crowd  # noqa: PLC0415
        from voxroll.asked import of_row  # noqa: PLC0415
        from voxroll.commands.check import judging  # noqa: PLC0415
        from voxroll.doubts import doubts  # noqa: PLC0415
        from voxroll.plan_file import told  # noqa: PLC0415

        waiting: deque[_AnyRow] = deque()

        def asked() -> Iterator[Any]:
            for row in rows:
                waiting.append(row)
                one, bar = of_row(Path("manifest"), row), planning.known.bars(row)
                yield replace(one, refusal=bar) if bar else one

        with steps(quiet=self.quiet) as progress, judging(self.settings, prints=True) as judge:
            agreement = Agreement(judge.voice, dict(self.speakers), Crowd(judge.voice))
            progress.total("looking", number)
            for verdict in judge.all_of(asked(), threads=self.threads):
                row = waiting.popleft()
                speaker_id = _speaker(row)
                print_ = verdict.print_ if not verdict.refusal else None
                wrong = agreement.hear(speaker_id, print_) if speaker_id else None
                if planning.add(row, verdict, disagreement=wrong) and isinstance(row, Row):
                    best = verdict.windows[0] if verdict.windows else None
                    keep(json.dumps(told(row, best, doubts(best, disagreement=wrong))) + "\n")
                progress.step(ascii(verdict.file.name)[1:-1])
        for alike in agreement.crowd.pairs():
            planning.suspect(alike)


def _placed(row: _AnyRow, folder: str) -> _AnyRow:
    """A row whose recording is named from anywhere."""
    return replace(row, source=placed(row.source, folder)) if isinstance(row, Row) else row


def _write_page(path: Path, planning: "Planning", document: dict[str, Any], *, name: str) -> None:
    from voxroll.plan_page import parts  # noqa: PLC0415

    with written(path) as file:
        for part in parts(planning, document, name=name):
            file.write(part.encode("utf-8", "replace").decode())


def _tell(document: dict[str, Any], *, into: Path, is_whole: bool, as_json: bool) -> None:
    from voxroll.plan_page import sums  # noqa: PLC0415

    if as_json:
        as_data(document)
        return
    for line in sums(document):
        out.print(escape(line), soft_wrap=True)
    plan = into / "plan.jsonl"
    told = f"`voxroll review {plan}` plays whom to doubt, `voxroll run {plan}` runs it; " if is_whole else ""
    err.print(escape(f"{told}{into / 'plan.html'} says who is not ready, and why"), soft_wrap=True)


def _exit_code(document: dict[str, Any]) -> Exit:
    """What the command ends with; whatever is amiss can be mended before the run, so nothing is `FATAL`."""
    speakers = document["speakers"]
    if not sum(speakers.values()):
        return Exit.NOTHING
    is_all = sum(speakers.values()) == speakers["ready"] + speakers["enrolled"] and "bad_row" not in document["codes"]
    return Exit.OK if is_all else Exit.INCOMPLETE
