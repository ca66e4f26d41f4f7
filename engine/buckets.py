"""A file from an object store, bounded as `download` is, and with its codes.

By the credentials that are usual there: those of the environment, or of the instance's role.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url

from engine.download import DownloadError, Limits, check_size

if TYPE_CHECKING:  # these are there for types alone
    from obstore import GetOptions
    from obstore.store import RetryConfig

_PIECE = 8 << 20
_RETRIES = 2  # who calls tries again too


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
    try:
        async with asyncio.timeout(limits.seconds):
            await _copy(bucket, key, to, limits)
    except TimeoutError as error:
        raise DownloadError(
            "source_unreachable", f"{bucket}: not all there within {limits.seconds:g} s", is_passing=True
        ) from error
    except FileNotFoundError as error:
        raise DownloadError("not_found", f"{bucket}/{key}: there is no such object; check the name") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        message = f"{bucket}: these credentials may not read it; let them, or set others in the environment"
        raise DownloadError("forbidden_source", message) from error
    except ValueError as error:  # a name that the store does not take, or credentials that make no sense
        raise DownloadError("unreadable_source", f"{bucket}/{key[:80]!a}: no such address") from error
    except BaseError as error:
        message = f"{bucket}: {type(error).__name__}; check its region, its credentials and the network"
        raise DownloadError("source_unavailable", message, is_passing=True) from error


async def _copy(bucket: str, key: str, to: Path, limits: Limits) -> None:
    """Piece by piece: a request of its own for each, as one may last half a minute at most."""
    retrying: RetryConfig = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=limits.seconds)}
    store = from_url(bucket, retry_config=retrying)
    known = await obstore.head_async(store, key)
    check_size(known["size"], limits)
    same: GetOptions = {"if_match": known["e_tag"]} if known["e_tag"] else {}
    with to.open("wb") as file:
        for start in range(0, known["size"], _PIECE):
            end = min(start + _PIECE, known["size"])
            found = await obstore.get_async(store, key, options={**same, "range": (start, end)})
            file.write(await found.bytes_async())
