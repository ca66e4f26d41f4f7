"""One supervised process: started, watched, started again when it dies, stopped.

Its output goes straight to `logs/NAME.log`, so that nothing is lost and nothing blocks when the supervisor is killed.
It has its own process group: Ctrl-C on the terminal reaches the supervisor alone, which then stops things in order. Its
standard input is a pipe whose other end only the supervisor holds: rooms started with `--attached` end when it closes.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from voxroll.failure import CommandError, Exit

_LOG_BYTES = 10 * 1024 * 1024
_DEATHS = 5  # so many deaths within _WINDOW_S are a defect, not bad luck
_WINDOW_S = 30.0
_GRACE_S = 20.0  # worker and engine finish what they are at; under the lease of 30 s
_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Program:
    """What to run."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    sockets: tuple[int, ...] = ()


@dataclass(slots=True)
class Child:
    """A program and the process that runs it at the moment."""

    program: Program
    logs: Path
    pauses_s: Sequence[float] = (0.1, 0.5, 1.0, 2.0)  # after the first, second... death in a row
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=_DEATHS))
    _process: asyncio.subprocess.Process | None = None
    _since: int = 0  # where the log of this run begins
    _stopping: bool = False
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """What users call it."""
        return self.program.name

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.logs / f"{self.name}.log"

    async def start(self) -> None:
        """Start the process, unless it is to stop; returns as soon as it exists."""
        async with self._changing:
            if self._stopping:
                return
            with open_log(self.log) as log:
                self._since = log.tell()
                self._process = await asyncio.create_subprocess_exec(
                    *self.program.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=dict(self.program.environment),
                    pass_fds=self.program.sockets,
                    process_group=0,
                )

    async def watch(self) -> None:
        """Start it again whenever it dies; returns only once `stop` was called.

        Raises:
            CommandError: `process_failed`: it died too often, or its settings can't be used. The message has its last
                lines.
        """
        loop = asyncio.get_running_loop()
        while not self._stopping:
            code = await self.ended()
            if self._stopping:
                return
            self.deaths.append(loop.time())
            recent = sum(loop.time() - moment < _WINDOW_S for moment in self.deaths)
            if code == Exit.SETTINGS or recent >= _DEATHS:
                raise self.failure(code, times=recent)
            await asyncio.sleep(self.pauses_s[recent - 1])
            await self.start()

    async def ended(self) -> int:
        """Wait for the end of the process and return its exit code, negative for a signal."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return await self._process.wait()

    async def stop(self, hurry: asyncio.Event) -> None:
        """End it: SIGTERM, then SIGKILL after 20 s or as soon as `hurry` is set. Returns once it is gone."""
        self._stopping = True
        async with self._changing:
            process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        end = asyncio.create_task(process.wait())
        impatience = asyncio.create_task(hurry.wait())
        await asyncio.wait({end, impatience}, timeout=_GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        impatience.cancel()
        if not end.done():
            process.kill()
        await end

    def failure(self, code: int, *, times: int = 1) -> CommandError:
        """The error that tells how it ended, with its last lines."""
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        often = f", {times} times in {_WINDOW_S:.0f} s" if times > 1 else ""
        exit_code = Exit.SETTINGS if code == Exit.SETTINGS else Exit.FAILED
        message = f"{self.name} {how}{often}; the end of {self.log}:\n{tail(self.log, since=self._since)}"
        return CommandError("process_failed", message, exit_code=exit_code)


def open_log(path: Path) -> IO[bytes]:
    """Open a log to append to; one that has grown past 10 MB becomes `.1` first, and the `.1` before it goes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def tail(path: Path, *, since: int = 0) -> str:
    """The last lines of a log, none from before `since`."""
    try:
        with path.open("rb") as log:
            log.seek(max(since, path.stat().st_size - 16_384))
            return tail_of(log.read().decode(errors="replace"), _TAIL_LINES)
    except OSError:
        return tail_of("", 0)


def refusal_of(text: str, code: str) -> CommandError:
    """Why a process of ours gave up, read off the end of its log; with `code` where it told none of its own."""
    said = tail_of(text, 3)
    try:
        told = json.loads(said.splitlines()[-1])
        own, colon, message = str(told["reason"]).partition(": ")
    except (ValueError, KeyError, TypeError, IndexError):
        return CommandError(code, said or "no answer", exit_code=Exit.UNAVAILABLE)
    is_code = bool(colon) and own.isidentifier()
    return CommandError(
        own if is_code else code, message if is_code else str(told["reason"]), exit_code=Exit.UNAVAILABLE
    )


def tail_of(text: str, lines: int) -> str:
    """The last lines of a text, indented."""
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (nothing was written)"
