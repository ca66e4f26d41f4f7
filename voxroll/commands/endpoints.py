"""`voxroll endpoints add | list | rotate | enable | disable | remove`: where events are posted to."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.duration import seconds
from voxroll.commands.webhooks import TypesOption, split, when
from voxroll.documents import Endpoint
from voxroll.show import JsonOption, as_data, err, out

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of an endpoint, as `voxroll endpoints list` shows it.")
]


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events are posted to.")],
    *,
    types: TypesOption = "",
    full: Annotated[bool, typer.Option("--full", help="With the speaker's document in each event.")] = False,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Have events posted to a URL, from the next one on; prints the secret that they are signed with."""
    made = asyncio.run(_add(url, split(types), full=full, description=description))
    if as_json:
        as_data(made.wire())
    else:
        _print_secret(made.endpoint_id, made.secret or "")
        err.print("the secret is not shown again; `voxroll endpoints rotate` makes another")


def list_(*, as_json: JsonOption = False) -> None:
    """List the endpoints, and how each does."""
    found = asyncio.run(_list())
    if as_json:
        as_data({"endpoints": [one.wire() for one in found]})
    elif not found:
        err.print("none; `voxroll endpoints add URL` makes one")
    else:
        tell(found)


def rotate(
    endpoint_id: IdArgument,
    *,
    overlap: Annotated[str, typer.Option(help="So long the former signs too: 15m, 24h; 0: no longer.")] = "24h",
    as_json: JsonOption = False,
) -> None:
    """Make another secret; for a time both sign, so that nothing is refused meanwhile."""
    told = asyncio.run(_change(endpoint_id, "rotate", overlapS=round(seconds(overlap))))
    if as_json:
        as_data(told)
    else:
        _print_secret(endpoint_id, told["secret"])
        err.print(f"[dim]{told['secrets']} secrets sign now; the new one is not shown again[/]")


def enable(endpoint_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Post there again, and what came meanwhile too."""
    _done(asyncio.run(_change(endpoint_id, "enable")), f"{endpoint_id} is enabled", as_json=as_json)


def disable(endpoint_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Post nothing there until it is enabled; what comes waits."""
    _done(asyncio.run(_change(endpoint_id, "disable")), f"{endpoint_id} is disabled", as_json=as_json)


def remove(endpoint_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Post nothing there any more, and forget what waits."""
    asyncio.run(_remove(endpoint_id))
    _done({"endpointId": endpoint_id, "removed": True}, f"{endpoint_id} is removed", as_json=as_json)


def _done(document: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        as_data(document)
    else:
        out.print(escape(words))


def _print_secret(endpoint_id: str, secret: str) -> None:
    """On lines of their own: both are copied."""
    out.print(f"[dim]endpoint[/] [bold]{escape(endpoint_id)}[/]", soft_wrap=True)
    out.print(f"[dim]secret[/]   [bold]{escape(secret)}[/]", soft_wrap=True)


async def _add(url: str, types: list[str], *, full: bool, description: str) -> Endpoint:
    async with Client() as client:
        return await client.add_endpoint(url, *types, full=full, description=description)


async def _list() -> list[Endpoint]:
    async with Client() as client:
        return await client.endpoints()


async def _change(endpoint_id: str, what: str, **body: Any) -> dict[str, Any]:
    async with Client() as client:
        return await client.change_endpoint(endpoint_id, what, **body)


async def _remove(endpoint_id: str) -> None:
    async with Client() as client:
        await client.remove_endpoint(endpoint_id)


def tell(endpoints: Sequence[Endpoint]) -> None:
    """A block for each: ids and URLs are long, and are copied."""
    for number, endpoint in enumerate(endpoints):
        if number:
            out.print()
        out.print(f"[bold]{escape(endpoint.endpoint_id)}[/]  {_state(endpoint)}", soft_wrap=True)
        for name, text in _lines(endpoint):
            out.print(f"  [dim]{name:<10}[/] {text}", soft_wrap=True)


def _state(endpoint: Endpoint) -> str:
    if endpoint.disabled:
        return f"[red]off: {escape(endpoint.disabled)}[/]"
    failing = endpoint.health.failing
    return f"[red]failing: {failing:,} tries since it last took one[/]" if failing else "[green]on[/]"


def _lines(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    health = endpoint.health
    if endpoint.url:
        yield "url", escape(endpoint.url)
        yield "types", escape(" ".join(endpoint.types) or "all") + (", in full" if endpoint.full else "")
    if endpoint.description:
        yield "for", escape(endpoint.description)
    yield "delivered", f"{health.delivered:,} events; {health.failed:,} tries failed, {health.given_up:,} given up"
    if health.events_waiting:
        yield "waiting", f"{health.events_waiting:,} events of {health.speakers_waiting:,} speakers"
    if health.forgotten:
        yield "forgotten", f"[yellow]{health.forgotten:,} events were no longer kept when their turn came[/]"
    if health.missed_before:
        yield "missed", f"[yellow]maybe what came before {when(health.missed_before)} UTC: read the speakers once[/]"
    if health.last_tried_at:
        yield "last try", f"{escape(health.last_answer or '-')} at {when(health.last_tried_at)} UTC"
