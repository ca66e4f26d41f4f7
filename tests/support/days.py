"""A user's day: commands against one running line, each with the exit code that is expected, and real recordings."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.speech import said, speakers, wav
from tests.support.up import Up, voxroll
from voxroll.failure import Exit


class Day:
    """The day of one user.

    Args:
        up: the line.
        folder: where the user's files lie.
    """

    def __init__(self, up: Up, folder: Path) -> None:
        self.up, self.folder = up, folder

    def does(self, *command: str, ends: int = Exit.OK, columns: int = 200) -> str:
        """What a command prints; it ends as expected and shows no traceback."""
        done = voxroll(*command, data_dir=self.up.data_dir, COLUMNS=str(columns))
        assert done.returncode == ends, (command, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout

    def told(self, *command: str, ends: int = Exit.OK) -> Any:
        """The same as JSON."""
        return json.loads(self.does(*command, "--json", ends=ends))

    async def later(self, *command: str, ends: int = Exit.OK) -> str:
        """The same, while something else goes on here."""
        return await asyncio.to_thread(self.does, *command, ends=ends)

    def recording(self, name: str, speaker: int, *, seconds: float, skip: int = 0) -> Path:
        """A recording of the so-manyth speaker."""
        path = self.folder / name
        path.write_bytes(wav(said(sorted(speakers())[speaker], seconds=seconds, skip=skip)))
        return path
