"""What the commands about events share: how events are shown, and what signs and verifies them."""

import base64
import secrets
from typing import Annotated

import typer
from rich.markup import escape
from standardwebhooks import Webhook

from voxroll.documents import Event
from voxroll.failure import CommandError, Exit
from voxroll.show import err

TypesOption = Annotated[str, typer.Option(help="Only these types: `enrollment.*,speaker.erased`.")]
SpeakerOption = Annotated[str, typer.Option(help="Only events of this speaker.")]
SinceOption = Annotated[str, typer.Option(help="From this time on: `2026-11-21T09:00`, or so long ago: `2h`.")]
_SECRET_BYTES = 32


def split(types: str) -> list[str]:
    """Types as they are written in one option."""
    return types.replace(",", " ").split()


def signer_of(secret: str) -> Webhook:
    """What signs with a secret; without one, one is made and shown.

    Raises:
        CommandError: `secret_invalid`.
    """
    if not secret:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        err.print(f"signed with [bold]{secret}[/]")
    try:
        return Webhook(secret)
    except (ValueError, RuntimeError) as error:
        raise CommandError("secret_invalid", "`whsec_` and base64 is needed", exit_code=Exit.USAGE) from error


def cells(event: Event) -> list[str]:
    """Id, time, type, speaker, number and data, for a table or a line."""
    data = ", ".join(f"{name} {value}" for name, value in event.data.items() if value is not None)
    return [
        escape(event.id),
        f"{event.time:%Y-%m-%d %H:%M:%S}",
        f"[bold]{escape(event.type)}[/]{' (test)' if event.test else ''}",
        escape(event.speaker_id or ""),
        str(event.sequence or ""),
        f"[dim]{escape(data)}[/]" if data else "",
    ]
