"""Fetching a recording: from the object store (uploads), from a file, or over http(s), into a local file.

Bounded in bytes and time; over http only public addresses are spoken to, without redirects (`engine.download`).
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from config.settings import Intake
from engine.download import DownloadError, Limits, check_size, download
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.store import objects
from worker.store.objects import ObjectStore


class Fetcher:
    """Copies recordings to local files."""

    def __init__(self, store: ObjectStore, *, intake: Intake) -> None:
        self._objects = store
        self._limits = Limits(
            max_bytes=intake.max_bytes,
            seconds=intake.timeout.total_seconds(),
            allow_private=intake.allow_private,
            redirects=0,
            settings="VOXROLL_INTAKE",
        )

    async def fetch(self, source: str, *, to: Path) -> Path:
        """The recording as a local file: `to`, or the file itself where the source is one.

        Raises:
            RejectError: `not_found`, `too_large`, `forbidden_source`, `unreadable_source`.
            RetryLaterError: it may be there later.
        """
        parts = urlsplit(source)
        match parts.scheme:
            case objects.UPLOAD_SCHEME:
                await self._objects.download(source.removeprefix(f"{objects.UPLOAD_SCHEME}:"), to)
                return to
            case "file":
                return self._local(Path(unquote(parts.path)))
            case "http" | "https":
                await self._download(source, to)
                return to
            case other:
                raise RejectError("forbidden_source", f"{other}: sources; use a path, file:, http: or https:")

    def _local(self, path: Path) -> Path:
        try:
            size = path.stat().st_size
        except OSError as error:
            raise RejectError(
                "not_found", f"{path}: {error.strerror}; check the path on the worker's machine"
            ) from error
        try:
            check_size(size, self._limits)
        except DownloadError as error:
            raise RejectError(error.code, str(error)) from error
        return path

    async def _download(self, url: str, to: Path) -> None:
        try:
            await download(url, to, self._limits)
        except DownloadError as error:
            failure = RetryLaterError if error.is_passing else RejectError
            raise failure(error.code, str(error)) from error
