"""`voxroll events list | show | replay | verify`: what happened, once more, and whether a webhook is genuine."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from standardwebhooks import WebhookVerificationError

from voxroll.client import Client
from voxroll.commands.duration import moment
from voxroll.commands.traced import tell
from voxroll.commands.webhooks import SinceOption, SpeakerOption, TypesOption, signer_of, split, what, when
from voxroll.documents import Event, Trace
from voxroll.failure import CommandError
from voxroll.show import JsonOption, as_data, err, out, rows, table


def list_(
    *,
    types: TypesOption = "",
    speaker: SpeakerOption = "",
    since: SinceOption = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List events, newest first; with `--since` from there on."""
    filters = _filters(types, speaker, since)
    found = asyncio.run(_list(filters, limit=limit))
    if as_json:
        as_data({"events": [one.wire() for one in found]})
    elif not found:
        err.print("none")
    else:
        made = table("event", "time (UTC)", "what happened")
        for column in made.columns[:2]:
            column.no_wrap = True
        out.print(rows(made, ([escape(one.id), when(one.time), what(one)] for one in found)))


def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Id of an event, as `voxroll events list` shows it.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show one event from the callback that brought it to the endpoints that get it."""
    found = asyncio.run(_show(event_id))
    if as_json:
        as_data(found.wire())
    else:
        tell(found)


def replay(
    endpoint: Annotated[str, typer.Option(help="Id of the endpoint, as `voxroll endpoints list` shows it.")],
    since: Annotated[str, typer.Option(help="From then on: `yesterday`, `09:00`, `2026-11-21T09:00`, `2h` ago.")],
    *,
    until: Annotated[str, typer.Option(help="Up to then, written likewise; up to now without it.")] = "",
    types: TypesOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send an endpoint the events of some hours once more, under the ids they had."""
    body = {
        "since": moment(since).isoformat(),
        "until": moment(until).isoformat() if until else None,
        "types": split(types),
    }
    told = asyncio.run(_replay(endpoint, body))
    if as_json:
        as_data(told)
    else:
        out.print(f"{told['events']} events are on their way to {escape(endpoint)}")


def verify(  # noqa: PLR0913  (one argument per option of the command)
    body: Annotated[Path, typer.Argument(metavar="FILE", help="File with the body as it came, byte by byte.")],
    *,
    secret: Annotated[str, typer.Option(help="The endpoint's secret.", envvar="VOXROLL_ENDPOINT_SECRET")],
    message_id: Annotated[str, typer.Option("--id", help="Header webhook-id.")],
    timestamp: Annotated[str, typer.Option(help="Header webhook-timestamp.")],
    signature: Annotated[str, typer.Option(help="Header webhook-signature.")],
    as_json: JsonOption = False,
) -> None:
    """Verify a webhook that you got, and say what is wrong with it."""
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    try:
        signer_of(secret).verify(body.read_bytes(), headers, json_parse=False)
    except WebhookVerificationError as error:
        raise CommandError(
            "signature_invalid", f"{error}; is the body unchanged, and the secret the newest?"
        ) from error
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CommandError("signature_unreadable", str(error)) from error
    if as_json:
        as_data({"valid": True})
    else:
        out.print("[green]valid[/]")


async def _list(filters: dict[str, str], *, limit: int) -> list[Event]:
    found = list[Event]()
    async with Client() as client, aclosing(client.past_events(limit=str(min(limit, 500)), **filters)) as events:
        async for event in events:
            found.append(event)
            if len(found) == limit:
                break
    return found


async def _show(event_id: str) -> Trace:
    async with Client() as client:
        return await client.trace(event_id)


async def _replay(endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    async with Client() as client:
        return await client.change_endpoint(endpoint, "replay", **body)


def _filters(types: str, speaker: str, since: str) -> dict[str, str]:
    found = {"types": types, "speaker": speaker, "since": moment(since).isoformat() if since else ""}
    return {name: value for name, value in found.items() if value}
