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
                async for document in _events(lines):
                    pause_s, after = _PAUSE_S[0], document["id"]
                    yield document
        except ConnectionError:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S[1])


async def _events(lines: aiohttp.StreamReader) -> AsyncGenerator[dict[str, Any], None]:
    """The data of each event; comments and names say nothing new."""
    async for line in lines:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))
    raise ConnectionError("the front door closed")
