"""The order of things in `voxroll up`: what starts after what, when all is ready, how it ends.

`line` is the whole of it as a context: inside the block everything runs and is ready, after it nothing is left. The
demo uses the same. A process that dies is started again behind its port; one that keeps dying ends the line with its
last log lines. Ending goes against the stream of work (worker, front door, engine, database), so that nothing that
still works loses what it needs.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from config.settings import Settings
from voxroll.failure import CommandError
from voxroll.up import lock, model, note, readiness, sockets, valkey
from voxroll.up.child import Child, Program
from voxroll.up.ending import Ending
from voxroll.up.note import Running
from voxroll.up.secrets import Secrets, environment, with_users

_PATIENCE_S = 25.0  # processes of a killed `up` end within their 20 s and let go of their ports then
Say = Callable[[str], None]


@asynccontextmanager
async def line(settings: Settings, ending: Ending, *, say: Say) -> AsyncIterator[Running]:
    """Run everything for as long as the block lasts.

    Raises:
        CommandError: something could not start; whatever had started is ended by then.
        StoppedError: the end was asked for before all was ready.
    """
    data_dir = settings.data_dir.absolute()
    held = lock.take(data_dir)
    if held is None:
        raise _already_running(data_dir)
    with closing(held):
        supervisor = Supervisor(settings, ending, say=say)
        try:
            await ending.before(supervisor.start())
            yield supervisor.running
        finally:
            await supervisor.stop()


def _already_running(data_dir: Path) -> CommandError:
    other = note.read(data_dir)
    who = f"`voxroll up` (pid {other.pid}) at {other.url}" if other else "another `voxroll up`, which is just starting,"
    message = f"{who} works in {data_dir}; use it, end it, or name another folder in VOXROLL_DATA_DIR"
    return CommandError("already_running", message)


class Supervisor:
    """Starts, watches and ends the processes of one data directory, whose lock the caller holds."""

    running: Running

    def __init__(self, settings: Settings, ending: Ending, *, say: Say) -> None:
        self._settings = settings
        self._data_dir = settings.data_dir.absolute()
        self._ending = ending
        self._say = say
        self._was_killed = note.read(self._data_dir) is not None
        self._sockets: dict[str, socket.socket] = {}
        self._children: list[Child] = []
        self._watches: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start everything and return when it is ready; leaves the note for other shells."""
        secrets = Secrets.ensure(self._data_dir)
        redis_url = os.environ.get("VOXROLL_REDIS_URL") or await self._start_valkey()
        self.running = await self._listen(redis_url)
        await model.ensure(self._settings, say=self._say)
        made = with_users(environment(secrets, self._settings, self.running))
        urls = {}
        if self.running.own_engine:
            await self._start_engine(made)
            urls["engine"] = self.running.engine_url
        await self._start(self._room("webhook", made))
        await self._start(self._room("worker", made))
        await readiness.wait(urls | {"webhook": self.running.url})
        note.write(self._data_dir, self.running)

    async def stop(self) -> None:
        """End everything in order; once asked to hurry, at once."""
        for child in reversed(self._children):
            await child.stop(self._ending.hurry)
        await asyncio.gather(*self._watches)
        for listening in self._sockets.values():
            listening.close()
        note.remove(self._data_dir)

    async def _start_engine(self, made: dict[str, str]) -> None:
        """One process that does everything, or one that takes requests and as many as are asked for that work."""
        workers = self._settings.engine.workers
        await self._start(self._room("engine", made | {"VOXROLL_ENGINE_ROLE": "api" if workers else "all"}))
        for number in range(1, workers + 1):
            command = [sys.executable, "-P", "-m", "engine", "--attached"]
            program = Program(f"engine-{number}", command, made | {"VOXROLL_ENGINE_ROLE": "work"})
            await self._start(program)

    async def _start_valkey(self) -> str:
        folder = self._data_dir / "valkey"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = valkey.socket_path(self._data_dir)
        if pid := await valkey.end_orphan(path, folder):
            self._was_killed = True
            self._say(f"a Valkey of an earlier `voxroll up` that was killed (pid {pid}) has been shut down")
        await self._start(valkey.program(path, folder))
        await valkey.ready(path)
        return valkey.url(path)

    async def _listen(self, redis_url: str) -> Running:
        patience_s = _PATIENCE_S if self._was_killed else 0.0
        engine, webhook = self._settings.engine, self._settings.webhook
        elsewhere = os.environ.get("VOXROLL_API_BASE_URL")
        if not elsewhere:
            self._sockets["engine"] = await sockets.listen(
                engine.host, engine.port, name="ENGINE", patience_s=patience_s
            )
        self._sockets["webhook"] = await sockets.listen(
            webhook.host, webhook.port, name="WEBHOOK", patience_s=patience_s
        )
        return Running(
            pid=os.getpid(),
            url=sockets.address(self._sockets["webhook"]),
            engine_url=elsewhere or sockets.address(self._sockets["engine"]),
            redis_url=redis_url,
            own_engine=not elsewhere,
        )

    def _room(self, name: str, made: dict[str, str]) -> Program:
        """A process of ours; `-P` keeps the user's working directory out of the import path."""
        command = [sys.executable, "-P", "-m", name, "--attached"]
        if (listening := self._sockets.get(name)) is None:
            return Program(name, command, made)
        descriptor = listening.fileno()
        return Program(name, command, made | {f"VOXROLL_{name.upper()}_FD": str(descriptor)}, (descriptor,))

    async def _start(self, program: Program) -> None:
        child = Child(program, self._data_dir / "logs")
        self._children.append(child)
        await child.start()
        self._watches.append(asyncio.create_task(self._watch(child)))

    async def _watch(self, child: Child) -> None:
        try:
            await child.watch()
        except CommandError as failure:
            self._ending.fail(failure)
