"""`voxroll accept` and `voxroll reject`: a person decides of a sample that is held for its voice."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.speakers import short
from voxroll.documents import Speaker
from voxroll.show import JsonOption, as_data, out

SpeakerArgument = Annotated[str, typer.Argument(metavar="SPEAKER", help="Id of the speaker.")]
RecordingArgument = Annotated[
    str, typer.Argument(metavar="RECORDING", help="Id of the recording; `voxroll why SPEAKER` tells it.")
]


def accept(speaker: SpeakerArgument, recording: RecordingArgument, *, as_json: JsonOption = False) -> None:
    """Hand a held sample in: it is this speaker. It is not asked about again."""
    _tell(asyncio.run(_decide(speaker, recording, accept=True)), recording, as_json=as_json)


def reject(speaker: SpeakerArgument, recording: RecordingArgument, *, as_json: JsonOption = False) -> None:
    """Never hand a held sample in: it is somebody else. `accept` takes it back."""
    _tell(asyncio.run(_decide(speaker, recording, accept=False)), recording, as_json=as_json)


def _tell(found: Speaker, recording: str, *, as_json: bool) -> None:
    if as_json:
        as_data(found.wire())
        return
    sample = next(one for one in found.samples if one.recording_id == recording)
    out.print(f"[bold]{escape(short(sample.source))}[/] of {escape(found.speaker_id)} is {escape(sample.state)}")
    if found.next:
        out.print(f"[bold]next[/]  {escape(found.next)}", soft_wrap=True)


async def _decide(speaker_id: str, recording_id: str, *, accept: bool) -> Speaker:
    async with Client() as client:
        return await client.decide(speaker_id, recording_id, accept=accept)
