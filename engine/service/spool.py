"""Audio of jobs on disk, between the 202 and the answer: never in Redis, never lost by a crash.

One file per job in the data directory. A write is durable before it returns: file and folder are flushed. Processes
that share the queue share this folder. What a crash left over is removed at start.
"""

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_STRAY_S = 3600.0  # a file this old without a job is nobody's: its 202 was never answered


class Spool:
    """The folder; all methods block and belong in threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, job_id: str, audio: bytes, *, durable: bool = True) -> None:
        """Keep the audio of a job; what somebody waits for need not outlive the machine."""
        part = self.part(job_id)
        part.write_bytes(audio)
        if durable:
            self.keep(part, job_id)
        else:
            part.rename(self.path(job_id))

    def part(self, job_id: str) -> Path:
        """An empty file to write audio into, for `keep`; nobody else's, not even another's who fetches the same."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f"{job_id}.{uuid.uuid4().hex}.part"
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        return part

    def keep(self, part: Path, job_id: str) -> None:
        """Make what was written the audio of a job."""
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(self._folder / job_id)
        self._flush_folder()

    def path(self, job_id: str) -> Path:
        """Where the audio of a job lies, if it does."""
        return self._folder / job_id

    def remove(self, job_id: str) -> None:
        """Forget the audio of a job, if it is there."""
        self.path(job_id).unlink(missing_ok=True)

    def strays(self) -> Iterator[str]:
        """Names of files that are old enough to be looked after."""
        limit = time.time() - _STRAY_S
        if self._folder.is_dir():
            yield from (path.name for path in self._folder.iterdir() if path.stat().st_mtime < limit)

    def _flush_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
