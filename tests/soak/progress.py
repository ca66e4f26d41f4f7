"""How the soak goes: a bar on a terminal, a plain line now and then elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.soak.chaos import Chaos
from tests.soak.crowd import Crowd

_LOOK_S = 1.0
_LINE_S = 20.0


@asynccontextmanager
async def showing(crowd: Crowd, chaos: Chaos, *, seconds: float) -> AsyncIterator[None]:
    """Show it for as long as the block lasts."""
    console = Console(highlight=False)
    show = _bar if console.is_terminal else _lines
    task = asyncio.create_task(show(crowd, chaos, console, until_s=time.monotonic() + seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _bar(crowd: Crowd, chaos: Chaos, console: Console, *, until_s: float) -> None:
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=crowd.size)
        while True:
            settled = await crowd.settled()
            if settled is not None:
                progress.update(task, completed=settled, description=_said(crowd, chaos, settled, until_s=until_s))
            await asyncio.sleep(_LOOK_S)


async def _lines(crowd: Crowd, chaos: Chaos, console: Console, *, until_s: float) -> None:
    while True:
        await asyncio.sleep(_LINE_S)
        settled = await crowd.settled()
        console.print(_said(crowd, chaos, settled, until_s=until_s), soft_wrap=True)


def _said(crowd: Crowd, chaos: Chaos, settled: int | None, *, until_s: float) -> str:
    left_s = until_s - time.monotonic()
    kills = ", ".join(f"{name} {number}" for name, number in sorted(chaos.kills.items()))
    then = f"{left_s:.0f} s of kills left" if left_s > 0 else "left alone"
    done = "?" if settled is None else settled  # Valkey may just be down
    return f"accepted {crowd.accepted}, settled {done} of {crowd.size}; killed {kills or 'nobody'}; {then}"
