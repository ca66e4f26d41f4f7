"""Whether the line is to end, and why: asked once by the user or by a defect; asked twice means at once."""

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from voxroll.failure import CommandError


class StoppedError(Exception):
    """The user ended the line before the work was done."""


@dataclass(slots=True)
class Ending:
    """The two wishes, to end and to hurry, and the defect that made the first one."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    failure: CommandError | None = None

    def by_signals(self) -> None:
        """Let Ctrl-C, SIGTERM and a closed terminal ask, instead of ending this process on the spot.

        A closed terminal that whoever started us ignores (`nohup`) stays ignored.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.ask)

    def ask(self) -> None:
        """Ask for the end."""
        if self.asked.is_set():
            self.hurry.set()
        self.asked.set()

    def fail(self, failure: CommandError) -> None:
        """End because something is broken; the first reason stays."""
        self.failure = self.failure or failure
        self.asked.set()

    async def before(self, work: Coroutine[Any, Any, None]) -> None:
        """Do some work, unless the end comes first.

        Raises:
            StoppedError: the user asked for the end.
            CommandError: a process is broken, or the work failed.
        """
        task = asyncio.create_task(work)
        asked = asyncio.create_task(self.asked.wait())
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if self.failure is not None:
            raise self.failure
        if task.cancelled():
            raise StoppedError
        task.result()
