"""A file from an object store, bounded as `download` is, and with its codes; and what lies in a folder there.

By the credentials that are usual there: those of the environment, or of the instance's role. What a store answers is
never told: it may quote what was sent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore, from_url

from engine.download import DownloadError, Limits, check_size

if TYPE_CHECKING:  # these are there for types alone
    from obstore import GetOptions, ObjectMeta
    from obstore.store import RetryConfig

_PIECE = 8 << 20
_RETRIES = 2  # who calls tries again too


WAYS_IN = {
    "s3": "AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_SERVICE_ACCOUNT (a key file) or GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN",
}
"""The variables that let one in, for messages."""


async def copy(bucket: str, key: str, to: Path, limits: Limits) -> None:
    """Copy an object to a file, piece by piece.

    Args:
        bucket: as a URL without a key.
        key: of the object.
        to: where the file is made.
        limits: of bytes and time.

    Raises:
        DownloadError: `not_found`, `too_large`, `forbidden_source`, `unreadable_source`; `source_unreachable`,
            `source_unavailable`, which may pass.
    """
    async with _told(bucket, key, limits):
        await _copy(_opened(bucket, limits), key, to, limits)


async def keys_below(bucket: str, folder: str, limits: Limits, *, most: int) -> list[str]:
    """The keys of all objects below a folder, counted from it, in order.

    Args:
        bucket: as a URL without a key.
        folder: without a slash at its end; empty: the whole bucket.
        limits: of time.
        most: so many keys, no more.

    Raises:
        DownloadError: as `copy`; `too_large` for more keys, `not_found` where nothing lies.
    """
    found: list[str] = []
    async with _told(bucket, folder, limits):
        async for some in obstore.list(_opened(bucket, limits), prefix=folder or None):
            found += [one["path"].removeprefix(f"{folder}/") for one in some if not _is_mark(one)]
            if len(found) > most:
                raise DownloadError("too_large", f"{bucket}/{folder}: over {most} objects; name a folder with fewer")
    if not found:
        raise DownloadError("not_found", f"{bucket}/{folder}: nothing lies there; check the name")
    return sorted(found)


def _is_mark(found: "ObjectMeta") -> bool:
    """Whether it only marks a folder, as consoles make one: an object without content, named `folder/`."""
    return not found["size"] and "." not in found["path"].rpartition("/")[2]


@asynccontextmanager
async def _told(bucket: str, key: str, limits: Limits) -> AsyncIterator[None]:
    """What the store says, in the words of `DownloadError`."""
    ways_in = WAYS_IN[bucket.partition(":")[0]]
    try:
        async with asyncio.timeout(limits.seconds):
            yield
    except TimeoutError as error:
        raise DownloadError(
            "source_unreachable", f"{bucket}: not all there within {limits.seconds:g} s", is_passing=True
        ) from error
    except FileNotFoundError as error:
        raise DownloadError("not_found", f"{bucket}/{key}: there is no such object; check the name") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        message = f"{bucket}: these credentials may not read it, or nothing lies there; let them, or change {ways_in}"
        raise DownloadError("forbidden_source", message) from error
    except ValueError as error:  # a name that the store does not take
        raise DownloadError("unreadable_source", f"{bucket}/{key[:80]!a}: no such address") from error
    except BaseError as error:
        message = f"{bucket}: {type(error).__name__}; check its name, the network, and {ways_in}"
        raise DownloadError("source_unavailable", message, is_passing=True) from error


def _opened(bucket: str, limits: Limits) -> ObjectStore:
    """The bucket; nothing is asked of it yet.

    Raises:
        DownloadError: `forbidden_source`: credentials are missing, or make no sense.
    """
    retrying: RetryConfig = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=limits.seconds)}
    try:
        return from_url(bucket, retry_config=retrying)
    except BaseError as error:
        message = f"{bucket}: no credentials that can be used; set {WAYS_IN[bucket.partition(':')[0]]}"
        raise DownloadError("forbidden_source", message) from error


async def _copy(store: ObjectStore, key: str, to: Path, limits: Limits) -> None:
    """Piece by piece: a request of its own for each, as one may last half a minute at most."""
    known = await obstore.head_async(store, key)
    check_size(known["size"], limits)
    same: GetOptions = {"if_match": known["e_tag"]} if known["e_tag"] else {}
    with to.open("wb") as file:
        for start in range(0, known["size"], _PIECE):
            end = min(start + _PIECE, known["size"])
            found = await obstore.get_async(store, key, options={**same, "range": (start, end)})
            file.write(await found.bytes_async())
