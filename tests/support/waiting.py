"""Waiting for what only shows by looking again and again: another process, a server that may be away. Bounded."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

PATIENCE_S = 60.0
_PAUSE_S = 0.01


async def until(
    holds: Callable[[], bool | Awaitable[bool]], *, within_s: float = PATIENCE_S, pause_s: float = _PAUSE_S
) -> None:
    """Return once it holds.

    Raises:
        TimeoutError: it did not within so many seconds.
    """
    async with asyncio.timeout(within_s):
        while True:
            found = holds()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(pause_s)
