"""`voxroll listen`, `voxroll trigger`: a first webhook without a tunnel."""

import asyncio
import json
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import aiohttp
import typer
from rich.markup import escape
from standardwebhooks import Webhook

from voxroll.client import Client
from voxroll.commands.duration import moment
from voxroll.commands.webhooks import SinceOption, SpeakerOption, TypesOption, signer_of, split, what, when
from voxroll.documents import Event
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, as_data, err, out

_FORWARD_S = 15


def listen(  # noqa: PLR0913  (one argument per option of the command)
    *,
    forward_to: Annotated[str, typer.Option(metavar="URL", help="Post each event there, signed.")] = "",
    secret: Annotated[str, typer.Option(help="Sign with this `whsec_...`; else with one that is made and shown.")] = "",
    types: TypesOption = "",
    speaker: SpeakerOption = "",
    since: SinceOption = "",
    after: Annotated[str, typer.Option(help="Behind the event of this id; nothing is missed.")] = "",
    full: Annotated[bool, typer.Option("--full", help="With the speaker's document.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try your webhook without a tunnel: events come here, are printed, and are posted on to a URL of yours."""
    signer = signer_of(secret) if forward_to else None
    try:
        asyncio.run(_listen(_query(types, speaker, since, after, full=full), forward_to, signer, as_json=as_json))
    except KeyboardInterrupt:
        err.print("stopped")


def trigger(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="Such as enrollment.completed.")],
    *,
    speaker: Annotated[str, typer.Option(help="Of this speaker.")] = "test_speaker",
    grade: Annotated[str, typer.Option(help="With this quality: Poor, Average, Good, High.")] = "",
    data: Annotated[str, typer.Option(metavar="JSON", help="With this data; what is left out is an example's.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Have an event told in which nothing happened: whoever listens gets it, marked `test`."""
    told = (_json(data) if data else {}) | ({"enrollmentQuality": grade} if grade else {})
    found = asyncio.run(_trigger(kind, speaker, told))
    if as_json:
        as_data(found.wire())
    else:
        out.print(f"[bold]{escape(found.id)}[/] {escape(found.type)} of {escape(found.speaker_id or '-')} is told")


async def _trigger(kind: str, speaker: str, data: dict[str, Any]) -> Event:
    async with Client() as client:
        return await client.trigger(kind, speaker=speaker, data=data or None)


async def _listen(query: dict[str, Any], forward_to: str, signer: Webhook | None, *, as_json: bool) -> None:
    types = query.pop("types")
    async with Client() as client, aiohttp.ClientSession() as http:
        await client.ready()
        err.print(f"following {escape(client.url)}; Ctrl-C ends it")
        async with aclosing(client.events(*types, **query)) as events:
            async for event in events:
                answer = await _forward(http, forward_to, signer, event) if signer else ""
                _print(event, answer, as_json=as_json)


async def _forward(http: aiohttp.ClientSession, url: str, signer: Webhook, event: Event) -> str:
    """Post an event once; what was answered, in a word."""
    body, now = json.dumps(event.wire(), separators=(",", ":")), datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signer.sign(event.id, now, body),
    }
    timeout = aiohttp.ClientTimeout(total=_FORWARD_S)
    try:
        async with http.post(
            url, data=body.encode(), headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            return str(answer.status)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return type(error).__name__


def _print(event: Event, answer: str, *, as_json: bool) -> None:
    if as_json:
        told = event.wire() | ({"answer": answer} if answer else {})
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    colour = "green" if answer.startswith("2") else "red"
    line = [when(event.time), what(event), *([f"[{colour}]-> {answer}[/]"] if answer else [])]
    out.print("  ".join(line), soft_wrap=True)


def _query(types: str, speaker: str, since: str, after: str, *, full: bool) -> dict[str, Any]:
    at = moment(since) if since else None
    return {"types": split(types), "speaker": speaker, "since": at, "after": after, "full": full}


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CommandError("data_invalid", f"--data is no JSON: {error}", exit_code=Exit.USAGE) from error
    if not isinstance(found, dict):
        raise CommandError("data_invalid", "--data is no JSON object", exit_code=Exit.USAGE)
    return found
