"""What the commands about events share: how events are shown, and what signs and verifies them."""

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from standardwebhooks import Webhook

from voxroll.documents import Event
from voxroll.failure import CommandError, Exit
from voxroll.show import err

TypesOption = Annotated[str, typer.Option(help="Only these types: `enrollment.*,speaker.erased`.")]
SpeakerOption = Annotated[str, typer.Option(help="Only events of this speaker.")]
SinceOption = Annotated[str, typer.Option(help="From then on: `yesterday`, `09:00`, `2026-11-21T09:00`, `2h` ago.")]
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


def what(event: Event) -> str:
    """What happened to whom, and its data, in one line with markup."""
    of = f" of [bold]{escape(event.speaker_id)}[/]" if event.speaker_id else ""
    number = f" ({event.sequence})" if event.sequence else ""
    test = ", a test" if event.test else ""
    data = words({name: value for name, value in event.data.items() if name != "recordingId"})
    return f"{escape(event.type)}{of}{number}{test}" + (f"  [dim]{escape(data)}[/]" if data else "")


def when(at: datetime) -> str:
    """A time of the front door's clock."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def words(data: Mapping[str, Any]) -> str:
    """Names and values in words: what is not there is left out, and so is nothing of many."""
    return ", ".join(f"{name} {_value(value)}" for name, value in data.items() if value is not None and value != {})


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + (words({name: one for name, one in value.items() if one}) or "none") + ")"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
