"""`voxroll` as a user runs it: commands in a process of their own, and `voxroll up` over a folder."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

_START_S = 120
_END_S = 60
_COMMAND_S = 180


def voxroll(*arguments: str, data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [sys.executable, "-m", "voxroll", *arguments]
    return subprocess.run(
        command, env=environment(data_dir, **variables), capture_output=True, text=True, timeout=_COMMAND_S, check=False
    )


def on_terminal(*arguments: str, data_dir: Path) -> str:
    """What one command writes to a terminal of 200 columns."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "voxroll", *arguments]
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(command, env=environment(data_dir, COLUMNS="200"), stdout=its, stderr=its)
        os.close(its)
        told = b""
        with contextlib.suppress(OSError):  # EIO: the command has ended
            while piece := terminal.read(4096):
                told += piece
        process.wait(_COMMAND_S)
    return told.decode()


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """That of a user who has set the data directory and asked for free ports."""
    ports = {"VOXROLL_ENGINE_PORT": "0", "VOXROLL_WEBHOOK_PORT": "0"}
    return {**os.environ, "VOXROLL_DATA_DIR": str(data_dir), **ports, **variables}


class Up:
    """One `voxroll up`, ready once it is constructed."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self.data_dir = data_dir
        self._log = (data_dir.parent / f"{data_dir.name}.up.log").open("a+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voxroll", "up", "--json"],
            env=environment(data_dir, **variables),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"up did not become ready: {self.said()}"
        self.note: dict[str, Any] = json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.end()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        """What it wrote to standard error."""
        self._log.seek(0)
        return self._log.read()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(_END_S)

    def end(self) -> int:
        """As a service manager would."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def children(self) -> dict[str, int]:
        """Its processes by name."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and _parent(folder) == self.pid:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                name = words[3].decode() if words[1:3] == [b"-P", b"-m"] else "valkey"
                found[name] = int(folder.name)
        return found


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def lives(pid: int) -> bool:
    """Whether a process runs; one that is only waiting to be buried does not."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pid: int) -> None:
    """Wait until a process that is no child of ours has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select  # noqa: PLC0415  (only here)

    try:
        assert select.select([descriptor], [], [], _END_S)[0], f"{pid} did not end"
    finally:
        os.close(descriptor)
