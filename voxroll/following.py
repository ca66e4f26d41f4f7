"""Follow the events of a front door: server-sent events, read on and on, across every loss of the connection."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp

from voxroll.door import Door

_PAUSE_S = (0.5, 10.0)  # first and longest pause before the connection is made again
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=45)  # the front door sends something every 15 s


async def follow(door: Door, query: Mapping[str, str], *, after: str = "") -> AsyncGenerator[dict[str, Any], None]:
    """Events as they come, behind the event `after` if one is named.

    The front door says where it begins, and now and then how far it is, so that nothing is missed between two
    connections though no event has come yet.

    Raises:
        CommandError: the front door refuses, or was never there.
    """
    await door.ask("GET", "/v1/events", params={**query, "limit": "1"} | ({"after": after} if after else {}))
    pause_s = _PAUSE_S[0]
    while True:
        try:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
            params = {name: value for name, value in query.items() if not (after and name == "since")}
            async with door.stream("/v1/events", params=params, headers=headers, timeout=_TIMEOUT) as lines:
                async for place, document in _events(lines, after):
                    pause_s, after = _PAUSE_S[0], place
                    if document is not None:
                        yield document
        except ConnectionError:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S[1])


async def _events(lines: aiohttp.StreamReader, place: str) -> AsyncGenerator[tuple[str, dict[str, Any] | None], None]:
    """The place of each event and its data, or None where there is only a place; comments and names say nothing new."""
    document: dict[str, Any] | None = None
    async for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "id":
            place = value
        elif name == "data":
            document = json.loads(value)
        elif line == b"\n":
            yield place, document
            document = None
    raise ConnectionError("the front door closed")
