"""The object store: uploads and clips by key, in a local folder unless a URL says otherwise.

Audio never lives in Redis.
"""

from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from config.settings import Settings
from worker.enrollment.errors import RejectError, RetryLaterError

UPLOAD_SCHEME = "upload"  # sources that lie here: upload:<key>
UPLOADS = "uploads"
CLIPS = "clips"


class ObjectStore:
    """Bytes by key. Local folders are private to the user (0700)."""

    def __init__(self, settings: Settings) -> None:
        if settings.objects.url:
            self._store = from_url(settings.objects.url)
        else:
            folder = settings.data_dir / "objects"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = LocalStore(folder)

    async def put(self, key: str, content: bytes | Path) -> None:
        """Store bytes, or a file without reading it whole."""
        try:
            await obstore.put_async(self._store, key, content)
        except (BaseError, OSError) as error:
            raise RetryLaterError("object_store_failed", f"writing {key}: {type(error).__name__}") from error

    async def get(self, key: str) -> bytes | None:
        """The bytes under the key, or None."""
        try:
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise RetryLaterError("object_store_failed", f"reading {key}: {type(error).__name__}") from error

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
            raise RetryLaterError("object_store_failed", f"reading {key}: {type(error).__name__}") from error
