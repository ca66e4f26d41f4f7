"""Arming the named points of running processes, and waiting until one is held there."""

from pathlib import Path
from typing import Literal

from tests.support.waiting import until


class Points:
    """The folder that the processes of a test look into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, action: Literal["kill", "hold"]) -> None:
        """Whoever passes the point next is killed or held."""
        half = self.folder / f".{point}"
        half.write_text(action)
        half.rename(self.folder / point)

    async def held(self, point: str) -> None:
        """Return once a process is held at the point."""
        await until((self.folder / f"{point}.held").exists)

    def release(self, point: str) -> None:
        """Let it go on."""
        (self.folder / f"{point}.held").unlink()

    def clear(self) -> None:
        """Disarm everything, let everybody go on."""
        for path in self.folder.iterdir():
            path.unlink()
