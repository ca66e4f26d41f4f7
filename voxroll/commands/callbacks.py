"""`voxroll callbacks list | show | replay`: what the API sent to webhookUrl, as it came, and once more.

A replay has the same stored bytes reconciled anew: for a callback whose job was lost, or to see that nothing changes.
"""

import asyncio
from contextlib import aclosing
from typing import Annotated

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.documents import Callback
from voxroll.show import JsonOption, as_data, err, out, rows, table

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a callback, as `voxroll callbacks list` shows it.")
]


def list_(
    *,
    speaker: Annotated[str, typer.Option(help="Only callbacks of this speaker.")] = "",
    verdict: Annotated[
        str, typer.Option(help="Only those with this verdict: accepted, or the code of a refusal.")
    ] = "",
    refused: Annotated[bool, typer.Option("--refused", help="Those that were refused instead of the others.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what came to webhookUrl, newest first."""
    filters = {"speaker": speaker, "verdict": verdict, "refused": "true" if refused else ""}
    found = asyncio.run(_list({name: value for name, value in filters.items() if value}, limit=limit))
    if as_json:
        as_data({"callbacks": [one.wire() for one in found]})
        return
    if not found:
        err.print("none; `--refused` lists those that were refused" if not refused else "none")
        return
    out.print(rows(table("callback", "received", "verdict", "speaker", "attempt", ">bytes"), map(_cells, found)))


def show(callback_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Show one callback with its headers and its body as they came."""
    found = asyncio.run(_show(callback_id))
    if as_json:
        as_data(found.wire())
        return
    for name, value in (
        ("received", f"{found.received_at:%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("verdict", _coloured(found)),
        ("speaker", escape(found.speaker_id) or "-"),
        ("recording", escape(found.recording_id) or "-"),
        ("attempt", escape(found.attempt_id) or "-"),
        ("body", f"{found.body_bytes} bytes"),
    ):
        out.print(f"[dim]{name:<10}[/] {value}", soft_wrap=True)
    for name, value in found.headers.items():
        out.print(f"[dim]{escape(name)}:[/] {escape(value)}", soft_wrap=True)
    out.print(escape(found.body), soft_wrap=True)


def replay(callback_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Have a callback reconciled once more, byte by byte as it came; what is already true stays as it is."""
    found = asyncio.run(_replay(callback_id))
    if as_json:
        as_data(found.wire())
    else:
        who = escape(found.speaker_id)
        out.print(f"{escape(found.callback_id)} is queued; `voxroll why {who}` shows what it changes", soft_wrap=True)


async def _list(filters: dict[str, str], *, limit: int) -> list[Callback]:
    found = list[Callback]()
    async with Client() as client, aclosing(client.callbacks(**filters)) as callbacks:
        async for callback in callbacks:
            found.append(callback)
            if len(found) == limit:
                break
    return found


async def _show(callback_id: str) -> Callback:
    async with Client() as client:
        return await client.callback(callback_id)


async def _replay(callback_id: str) -> Callback:
    async with Client() as client:
        return await client.replay(callback_id)


def _cells(callback: Callback) -> list[str]:
    return [
        f"[bold]{escape(callback.callback_id)}[/]",
        f"{callback.received_at:%Y-%m-%d %H:%M:%S}",
        _coloured(callback),
        escape(callback.speaker_id) or "[dim]-[/]",
        escape(callback.attempt_id) or "[dim]-[/]",
        f"{callback.body_bytes:,}",
    ]


def _coloured(callback: Callback) -> str:
    colour = "green" if callback.verdict == "accepted" else "red"
    return f"[{colour}]{escape(callback.verdict)}[/]"
