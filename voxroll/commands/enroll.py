"""`voxroll enroll`: hand recordings in and, unless told otherwise, wait until the speakers are settled.

One speaker's trouble (a missing file, a bad id, a refusal) is told with its code, and the others go on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from voxroll.client import Client, open_recording
from voxroll.commands.duration import DurationOption, seconds
from voxroll.commands.speakers import speaker_table
from voxroll.documents import Speaker
from voxroll.failure import CommandError, Exit
from voxroll.grouping import by_folder, check_id
from voxroll.progress import Steps, steps
from voxroll.show import JsonOption, as_data, complain, err, out

_UPLOADS = 4  # speakers handed in at one time; disk or network is the limit, not the number
_WATCHED = 16  # speakers asked after at one time

Recording = Path | str
Speakers = Mapping[str, Sequence[Recording]]


def enroll(  # noqa: PLR0913  (one argument per option of the command)
    speaker: Annotated[
        str, typer.Argument(metavar="SPEAKER", help="Id of the speaker: letters, digits, underscores.")
    ] = "",
    recordings: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Recordings: files, http(s) URLs, objects in allowed buckets."),
    ] = None,
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="FOLDER",
            help="Enroll a folder: one subfolder per speaker, or files like anna-1.wav, anna_2.mp3.",
        ),
    ] = None,
    batch: Annotated[str, typer.Option(help="A name for this batch, to list its speakers by.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the speakers are settled.")] = True,
    timeout: DurationOption = "15m",
    as_json: JsonOption = False,
) -> None:
    """Enroll one speaker from recordings, or a folder of speakers."""
    speakers = _asked_for(speaker, recordings or [], folder)
    with steps(quiet=as_json) as progress:
        wait_s = seconds(timeout) if wait else None
        done = asyncio.run(hand_in(speakers, wait_s=wait_s, progress=progress, batch=batch or None))
    _report(done, waited=wait, as_json=as_json)
    if code := done.exit_code(waited=wait):
        raise typer.Exit(int(code))


def _asked_for(speaker: str, recordings: Sequence[str], folder: Path | None) -> Speakers:
    if folder is not None and not speaker:
        return by_folder(folder)
    if folder is not None or not speaker or not recordings:
        message = "give a speaker and recordings (`voxroll enroll anna a.wav b.wav`), or `--dir FOLDER` alone"
        raise CommandError("bad_usage", message, exit_code=Exit.USAGE)
    from voxroll.asked import is_address  # noqa: PLC0415  (numpy comes with it)

    return {speaker: [text if is_address(text) else Path(text) for text in recordings]}


async def hand_in(
    speakers: Speakers, *, wait_s: float | None, progress: Steps, batch: str | None = None
) -> "Enrolling":
    """Hand in the recordings of all speakers; with `wait_s`, wait at most so long until all are settled."""
    async with Client() as client:
        enrolling = Enrolling(client, progress, batch=batch)
        await enrolling.hand_in(speakers)
        if wait_s is not None:
            await enrolling.settle(wait_s)
        return enrolling


class Enrolling:
    """What was handed in, how it stands, and what failed, speaker by speaker."""

    def __init__(self, client: Client, progress: Steps, *, batch: str | None = None) -> None:
        self.known: dict[str, Speaker] = {}
        self.failed: dict[str, list[CommandError]] = {}
        self._client = client
        self._batch = batch
        self._progress = progress

    async def hand_in(self, speakers: Speakers) -> None:
        """Upload, a few speakers at a time."""
        self._progress.total("handing in", len(speakers))
        places = asyncio.Semaphore(_UPLOADS)
        async with asyncio.TaskGroup() as tasks:
            for speaker_id, recordings in speakers.items():
                tasks.create_task(self._hand_in_one(speaker_id, recordings, places))

    async def _hand_in_one(self, speaker_id: str, recordings: Sequence[Recording], places: asyncio.Semaphore) -> None:
        async with places:
            try:
                check_id(speaker_id)
                if there := self._readable(speaker_id, recordings):
                    self.known[speaker_id] = await self._client.enroll(speaker_id, there, batch=self._batch)
            except CommandError as error:
                self.failed.setdefault(speaker_id, []).append(error)
            self._progress.step(speaker_id)

    def _readable(self, speaker_id: str, recordings: Sequence[Recording]) -> list[Recording]:
        """The recordings that can be read; the others become errors and don't hold the speaker up."""
        there: list[Recording] = []
        for recording in recordings:
            try:
                if isinstance(recording, Path):
                    open_recording(recording).close()
                there.append(recording)
            except CommandError as error:
                self.failed.setdefault(speaker_id, []).append(error)
        return there

    async def settle(self, wait_s: float) -> None:
        """Wait until every speaker that was handed in is settled, at most so long."""
        self._progress.total("enrolling", sum(len(speaker.samples) for speaker in self.known.values()))
        places = asyncio.Semaphore(_WATCHED)
        try:
            async with asyncio.timeout(wait_s), asyncio.TaskGroup() as tasks:
                for speaker_id in self.known:
                    tasks.create_task(self._settle_one(speaker_id, places))
        except TimeoutError:
            return  # what is not settled says so itself

    async def _settle_one(self, speaker_id: str, places: asyncio.Semaphore) -> None:
        async with places:
            try:
                async for speaker in self._client.watch(speaker_id):
                    self.known[speaker_id] = speaker
                    self._progress.at(sum(known.finished() for known in self.known.values()))
            except CommandError as error:
                self.failed.setdefault(speaker_id, []).append(error)

    def exit_code(self, *, waited: bool) -> Exit:
        """1 when something could not be handed in, 5 when a speaker that was waited for is not complete."""
        errors = [error for several in self.failed.values() for error in several]
        if errors and all(error.exit_code is Exit.UNAVAILABLE for error in errors):
            return Exit.UNAVAILABLE
        if errors:
            return Exit.FAILED
        incomplete = any(not speaker.enrollment_complete for speaker in self.known.values())
        return Exit.INCOMPLETE if waited and incomplete else Exit.OK


def _report(done: Enrolling, *, waited: bool, as_json: bool) -> None:
    if as_json:
        errors = [{"speakerId": name} | error.context() for name, several in done.failed.items() for error in several]
        as_data({"speakers": [speaker.wire() for speaker in done.known.values()], "errors": errors})
        return
    if done.known:
        out.print(speaker_table(done.known[name] for name in sorted(done.known)))
    for error in _distinct(done.failed):
        complain(error[1], about=error[0])
    open_ones = [name for name, speaker in done.known.items() if not speaker.settled]
    if open_ones:
        how = "still under way" if waited else "handed in"
        err.print(f"[dim]{len(open_ones)} {how}; `voxroll status` shows how they get on[/]")
    elif any(speaker.unused() or not speaker.enrollment_complete for speaker in done.known.values()):
        err.print("[dim]`voxroll why SPEAKER` tells why[/]")


def _distinct(failed: Mapping[str, Sequence[CommandError]]) -> list[tuple[str, CommandError]]:
    """The errors with their speakers; one that struck everybody alike (front door away) is told once."""
    told: dict[str, tuple[str, CommandError]] = {}
    for name, errors in sorted(failed.items()):
        for error in errors:
            shared = error.exit_code is Exit.UNAVAILABLE
            told.setdefault(str(error) if shared else f"{name} {error}", ("" if shared else name, error))
    return list(told.values())
