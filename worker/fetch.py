"""Fetching a recording: from the object store (uploads), a file, a bucket, or over http(s), into a local file.

Bounded in bytes and time; over http only public addresses are spoken to, without redirects (`engine.download`), and
only buckets that the settings allow are read.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from config.settings import Intake
from engine.buckets import copy
from engine.download import DownloadError, Limits, check_size, download
from worker.contract.buckets import SCHEMES, is_within, lying_at
from worker.ending import ending_of
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.store import objects
from worker.store.objects import ObjectStore


class Fetcher:
    """Copies recordings to local files."""

    def __init__(self, store: ObjectStore, *, intake: Intake) -> None:
        self._objects = store
        self._buckets = intake.buckets
        self._limits = Limits(
            max_bytes=intake.max_bytes,
            seconds=intake.timeout.total_seconds(),
            allow_private=intake.allow_private,
            redirects=0,
            settings="VOXROLL_INTAKE",
        )

    @asynccontextmanager
    async def at_hand(self, source: str) -> AsyncIterator[Path]:
        """The recording as a local file while the block lasts; a file is read where it lies. Raises as `fetch`."""
        if urlsplit(source).scheme == "file":
            yield await self.fetch(source, to=Path())
            return
        with tempfile.TemporaryDirectory(prefix="voxroll-") as folder:
            yield await self.fetch(source, to=Path(folder) / "recording")

    async def fetch(self, source: str, *, to: Path) -> Path:
        """The recording as a local file: `to`, with its ending where only that tells what it is, or the file itself.

        Raises:
            RejectError: `not_found`, `too_large`, `forbidden_source`, `unreadable_source`.
            RetryLaterError: it may be there later.
        """
        parts = urlsplit(source)
        match parts.scheme:
            case objects.UPLOAD_SCHEME:
                path = to.with_suffix(ending_of(source))
                await self._objects.download(source.removeprefix(f"{objects.UPLOAD_SCHEME}:"), path)
                return path
            case "file":
                return self._local(Path(unquote(parts.path)))
            case "http" | "https":
                return await self._download(source, to)
            case scheme if scheme in SCHEMES:
                return await self._copy(source, to)
            case other:
                raise RejectError("forbidden_source", f"{other}: sources; use a path, file:, http(s): or a bucket")

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

    async def _copy(self, source: str, to: Path) -> Path:
        lying = lying_at(source)
        if lying is None or not is_within(lying, self._buckets):
            message = f"{source[:80]}: not read from here; allow the bucket by VOXROLL_INTAKE_BUCKETS"
            raise RejectError("forbidden_source", message)
        path = to.with_suffix(ending_of(lying.key))
        try:
            await copy(lying.bucket, lying.key, path, self._limits)
        except DownloadError as error:
            failure = RetryLaterError if error.is_passing else RejectError
            raise failure(error.code, str(error)) from error
        return path

    async def _download(self, url: str, to: Path) -> Path:
        try:
            media_type = await download(url, to, self._limits)
        except DownloadError as error:
            failure = RetryLaterError if error.is_passing else RejectError
            raise failure(error.code, str(error)) from error
        path = to.with_suffix(ending_of(urlsplit(url).path, media_type=media_type))
        return await asyncio.to_thread(to.rename, path)
