"""Parts of a multipart body: short texts, and files, which are streamed to disk and never held in memory."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from aiohttp import BodyPartReader

from worker.enrollment.errors import RequestError

_FIELD_LIMIT = 1_024
_PIECE = 1_048_576


async def text_of(part: BodyPartReader) -> str:
    """A short text; what is longer is cut."""
    return (await part.read_chunk(_FIELD_LIMIT)).decode(errors="replace")


@asynccontextmanager
async def spooled(part: BodyPartReader, *, limit: int) -> AsyncIterator[tuple[Path, str]]:
    """The part's content in a temporary file, and its SHA-256."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(prefix="voxroll-upload-") as file:
        size = 0
        while piece := await part.read_chunk(_PIECE):
            size += len(piece)
            if size > limit:
                raise RequestError("too_large", f"more than {limit} bytes, the limit of one recording", status=413)
            await asyncio.to_thread(_take, piece, file.file, digest)
        file.flush()
        yield Path(file.name), digest.hexdigest()


def _take(piece: bytes, file: IO[bytes], digest: "hashlib._Hash") -> None:
    digest.update(piece)
    file.write(piece)
