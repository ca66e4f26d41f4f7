"""The object store: uploads and clips by key, in a local folder unless a URL says otherwise.

Audio never lives in Redis.
"""

import errno
import re
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as Place

from config.settings import Settings, SettingsError
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.enrollment.record import SpeakerId

UPLOAD_SCHEME = "upload"  # sources that lie here: upload:<key>
UPLOADS = "uploads"
CLIPS = "clips"
BATCHES = "batches"
_FULL = re.compile(rf"(?:os error|Errno) (?:{errno.ENOSPC}|{errno.EDQUOT}|{errno.EFBIG})\b")


def folder_of(kind: str, account: str, speaker_id: SpeakerId) -> str:
    """Where everything of one kind and speaker lies, so that it can be forgotten as a whole."""
    return f"{kind}/{account}/{speaker_id}"


def _place(settings: Settings) -> Place:
    url = settings.objects.url
    if not url:
        folder = settings.data_dir / "objects"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalStore(folder)
    try:
        return from_url(url)
    except (BaseError, ValueError, OSError) as error:
        message = (
            "VOXROLL_OBJECTS_URL can't be opened; it is file:///FOLDER, which is there, or s3://, gs:// or az:// and a "
            "bucket, and what lets one in there is in the environment"
        )
        raise SettingsError(message) from error


class ObjectStore:
    """Bytes by key. Local folders are private to the user (0700).

    Raises:
        SettingsError: there is no such place, or no credentials for it.
    """

    def __init__(self, settings: Settings) -> None:
        self._store = _place(settings)

    async def reach(self) -> None:
        """Look whether the store answers, and lets one in.

        Raises:
            RetryLaterError: it doesn't.
        """
        try:
            async for _ in obstore.list(self._store, prefix=UPLOADS, chunk_size=1):
                return
        except (BaseError, OSError) as error:
            raise failed(error, "listing it") from error

    async def put(self, key: str, content: bytes | Path) -> None:
        """Store bytes, or a file without reading it whole."""
        try:
            await obstore.put_async(self._store, key, content)
        except (BaseError, OSError) as error:
            raise failed(error, f"writing {key}") from error

    async def get(self, key: str) -> bytes | None:
        """The bytes under the key, or None."""
        try:
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise failed(error, f"reading {key}") from error

    async def below(self, folder: str) -> list[str]:
        """The keys below a folder, in order."""
        try:
            return sorted([one["path"] async for found in obstore.list(self._store, prefix=folder) for one in found])
        except FileNotFoundError:
            return []
        except (BaseError, OSError) as error:
            raise failed(error, f"listing {folder}") from error

    async def walk(self, folder: str) -> AsyncIterator[str]:
        """The keys below a folder in any order, some at a time: for more than memory holds."""
        try:
            async for found in obstore.list(self._store, prefix=folder):
                for one in found:
                    yield one["path"]
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise failed(error, f"listing {folder}") from error

    async def delete(self, key: str) -> None:
        """Delete what lies under the key, if anything does."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise failed(error, f"deleting {key}") from error

    async def forget(self, folder: str) -> None:
        """Delete everything below a folder."""
        try:
            async for found in obstore.list(self._store, prefix=folder):
                await obstore.delete_async(self._store, [one["path"] for one in found])
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise failed(error, f"deleting {folder}") from error

    async def download(self, key: str, to: Path) -> None:
        """Copy what lies under the key into a file, piece by piece.

        Raises:
            RejectError: nothing lies under the key.
        """
        try:
            result = await obstore.get_async(self._store, key)
            with to.open("wb") as file:
                async for piece in result.stream():
                    file.write(piece)
        except FileNotFoundError as error:
            raise RejectError("not_found", "the upload is no longer stored; hand the recording in again") from error
        except (BaseError, OSError) as error:
            raise failed(error, f"reading {key}") from error


def failed(error: Exception, what: str) -> RetryLaterError:
    """What is to be said of a store that failed; nothing is lost, the step is tried again."""
    if _FULL.search(str(error)):
        return RetryLaterError("object_store_full", f"{what}: no space is left; make room, it is tried again")
    return RetryLaterError("object_store_failed", f"{what}: {type(error).__name__}")
