"""`voxroll endpoints add | list | rotate | enable | disable | remove`: where events are posted to."""

import asyncio
from typing import Annotated, Any

import typer
from rich.markup import escape

from voxroll.client import Client
from voxroll.commands.webhooks import TypesOption, split
from voxroll.documents import Endpoint
from voxroll.show import JsonOption, as_data, err, out, rows, table

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
        out.print(f"endpoint [bold]{escape(made.endpoint_id)}[/], secret [bold]{escape(made.secret or '')}[/]")
        err.print("the secret is not shown again; `voxroll endpoints rotate` makes another")


def list_(*, as_json: JsonOption = False) -> None:
    """List the endpoints, and how each does."""
    found = asyncio.run(_list())
    if as_json:
        as_data({"endpoints": [one.wire() for one in found]})
    elif not found:
        err.print("none; `voxroll endpoints add URL` makes one")
    else:
        heads = ("endpoint", "url", "types", "state", ">delivered", ">failed", ">given up", ">waiting", "last answer")
        out.print(rows(table(*heads), map(_cells, found)))


def rotate(
    endpoint_id: IdArgument,
    *,
    overlap_s: Annotated[
        int, typer.Option("--overlap", min=0, help="Seconds for which the former signs too.")
    ] = 86_400,
    as_json: JsonOption = False,
) -> None:
    """Make another secret; for a time both sign, so that nothing is refused meanwhile."""
    told = asyncio.run(_change(endpoint_id, "rotate", overlapS=overlap_s))
    if as_json:
        as_data(told)
    else:
        out.print(f"endpoint [bold]{escape(endpoint_id)}[/], secret [bold]{escape(told['secret'])}[/]")


def enable(endpoint_id: IdArgument) -> None:
    """Post there again, and what came meanwhile too."""
    asyncio.run(_change(endpoint_id, "enable"))
    out.print(f"{escape(endpoint_id)} is enabled")


def disable(endpoint_id: IdArgument) -> None:
    """Post nothing there until it is enabled; what comes waits."""
    asyncio.run(_change(endpoint_id, "disable"))
    out.print(f"{escape(endpoint_id)} is disabled")


def remove(endpoint_id: IdArgument) -> None:
    """Post nothing there any more, and forget what waits."""
    asyncio.run(_remove(endpoint_id))
    out.print(f"{escape(endpoint_id)} is removed")


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


def _cells(endpoint: Endpoint) -> list[str]:
    health = endpoint.health
    state = f"[red]{escape(endpoint.disabled)}[/]" if endpoint.disabled else "[green]on[/]"
    answer = escape(health.last_answer or "-")
    return [
        f"[bold]{escape(endpoint.endpoint_id)}[/]",
        escape(endpoint.url),
        escape(" ".join(endpoint.types) or "all"),
        f"[red]failing ({health.failing})[/]" if health.failing and not endpoint.disabled else state,
        f"{health.delivered:,}",
        f"{health.failed:,}",
        f"{health.given_up:,}",
        f"{health.speakers_waiting:,}",
        answer,
    ]
