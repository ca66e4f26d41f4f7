"""`voxroll erase`: forget a speaker for good, and never enroll that id again."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.duration import DurationOption, seconds
from voxroll.documents import Event, Speaker
from voxroll.failure import CommandError
from voxroll.show import JsonOption, as_data, err, out


def erase(
    speaker: Annotated[
        str, typer.Argument(metavar="SPEAKER", help="Id of the speaker; one who is not known opts out beforehand.")
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    timeout: DurationOption = "2m",
    receipt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write down there, as JSON, that and when it was done.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Delete audio, enrollment and record of a speaker for good; the id is never enrolled again."""
    if not yes and not as_json:
        typer.confirm(f"Erase {speaker} for good?", abort=True, err=True)
    asked_at = datetime.now(UTC)
    found, named, event = asyncio.run(_erase(speaker, seconds(timeout)))
    if receipt:
        _write(receipt, found, named, event, asked_at=asked_at)
    if as_json:
        as_data(found.wire() | {"stillNamed": named})
        return
    out.print(f"[bold]{escape(found.speaker_id)}[/] is erased; what the API held is deleted")
    err.print(f"[dim]{_still(named)}[/]", soft_wrap=True)


def _write(receipt: Path, found: Speaker, named: dict[str, Any], event: Event | None, *, asked_at: datetime) -> None:
    told = {
        "speakerId": found.speaker_id,
        "state": found.state,
        "askedAt": asked_at.isoformat(),
        "confirmedAt": datetime.now(UTC).isoformat(),
        "event": event and event.wire(),
        "stillNamed": named,
        "says": "audio, voiceprints, enrollment and record are deleted; the id is kept, so that it is never enrolled",
    }
    try:
        receipt.write_text(json.dumps(told, indent=2) + "\n")
    except OSError as error:
        message = f"{found.speaker_id} is erased, but {receipt} can't be written: {error.strerror}; erase again for it"
        raise CommandError("receipt_unwritten", message) from error


def _still(named: dict[str, Any]) -> str:
    """Where the id is named still, in words."""
    days = {name: str(named.get(f"{name}Until", ""))[:10] for name in ("manifests", "callbacks")}
    batches = ", ".join(named.get("batches", ()))
    out_of = f"; it is taken out of {batches}, at the end of it" if batches else ""
    return escape(
        f"the id stays in raw callbacks until {days['callbacks']}, in manifests whose rows were not taken until "
        f"{days['manifests']} at most, in events as long as these are kept{out_of}"
    )


async def _erase(speaker_id: str, wait_s: float) -> tuple[Speaker, dict[str, Any], Event | None]:
    """The speaker once the API has nothing more, where the id is named still, and the event that told of it."""
    async with Client() as client:
        named = (await client.erase(speaker_id)).wire().get("stillNamed", {})
        try:
            async with asyncio.timeout(wait_s):
                found = await client.wait(speaker_id)
            async with aclosing(client.past_events(types="speaker.erased", speaker=speaker_id, limit="1")) as events:
                return found, named, await anext(events, None)
        except TimeoutError as error:
            message = f"{speaker_id} is blocked; its deletion at the API is still under way and goes on without you"
            raise CommandError("erasure_pending", message) from error
