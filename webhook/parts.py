"""Parts of a multipart body: short texts, and files, which are streamed to disk and never held in memory.

Of a request with an Idempotency-Key a digest is made while its parts are read: of their names, file names and contents,
in order. The boundary between them is another with each try, so the body's bytes tell nothing.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from aiohttp import BodyPartReader, web

from webhook.body import BODY_SHA256
from worker.enrollment.errors import RequestError

_FIELD_LIMIT = 4_096
_PIECE = 1_048_576


async def parts_of(request: web.Request) -> AsyncIterator[BodyPartReader]:
    """The parts, one after the other.

    Raises:
        RequestError: `invalid_request`: there are others than texts and files.
        ValueError: the body can't be read.
    """
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise RequestError("invalid_request", "a multipart body within the body is not known", status=422)
        yield part


async def text_of(request: web.Request, part: BodyPartReader) -> str:
    """A short text.

    Raises:
        RequestError: `invalid_request`: it is longer.
    """
    text = b""
    while piece := await part.read_chunk(_FIELD_LIMIT):
        text += piece
        if len(text) > _FIELD_LIMIT:
            message = f"{(part.name or '')[:50]}: over {_FIELD_LIMIT} bytes, the limit of a text"
            raise RequestError("invalid_request", message, status=422)
    _note(request, part, hashlib.sha256(text).hexdigest())
    return text.decode(errors="replace")


@asynccontextmanager
async def spooled(request: web.Request, part: BodyPartReader, *, limit: int) -> AsyncIterator[tuple[Path, str]]:
    """The part's content in a temporary file, and its SHA-256."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(prefix="voxroll-upload-") as file:
        async for piece in _pieces(part, limit=limit):
            await asyncio.to_thread(_take, piece, file.file, digest)
        file.flush()
        _note(request, part, digest.hexdigest())
        yield Path(file.name), digest.hexdigest()


async def read_parts(request: web.Request, *, limit: int) -> None:
    """Read all parts for their digest alone.

    Raises:
        RequestError: `too_large`, `invalid_request`.
        ValueError: the body can't be read.
    """
    async for part in parts_of(request):
        digest = hashlib.sha256()
        async for piece in _pieces(part, limit=limit):
            await asyncio.to_thread(digest.update, piece)
        _note(request, part, digest.hexdigest())


async def _pieces(part: BodyPartReader, *, limit: int) -> AsyncIterator[bytes]:
    size = 0
    while piece := await part.read_chunk(_PIECE):
        size += len(piece)
        if size > limit:
            raise RequestError("too_large", f"more than {limit} bytes, the limit of one recording", status=413)
        yield piece


def _note(request: web.Request, part: BodyPartReader, sha256: str) -> None:
    """Make the part count in the digest of the body."""
    if "Idempotency-Key" in request.headers:
        before = request.get(BODY_SHA256, "")
        request[BODY_SHA256] = hashlib.sha256(repr((before, part.name, part.filename, sha256)).encode()).hexdigest()


def _take(piece: bytes, file: IO[bytes], digest: "hashlib._Hash") -> None:
    digest.update(piece)
    file.write(piece)
