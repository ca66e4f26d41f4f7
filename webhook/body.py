"""Reading what is sent, bodies and times: never more than is allowed, never longer than a slow sender deserves."""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator

from worker.enrollment.errors import RequestError


def _time(value: object) -> object:
    """RFC 3339 alone: pydantic would read numbers too. UTC where no zone is named."""
    if not isinstance(value, str):
        raise ValueError("a time like 2026-11-21T05:00:00Z is needed")  # noqa: TRY004 -- pydantic's way
    at = datetime.fromisoformat(value)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(_time)]
BODY_SHA256: web.RequestKey[str] = web.RequestKey("body_sha256", str)  # of a request with an Idempotency-Key
_LONGEST_S = 10.0


def at_hand(request: web.BaseRequest) -> bytes:
    """What has come of the body by now and was not read; nothing where its framing is broken."""
    return b"" if request.content.exception() else request.content.read_nowait()


async def read_body(request: web.BaseRequest, *, limit: int) -> bytes:
    """The request's body.

    Raises:
        RequestError: `body_too_large`, `body_too_slow`.
    """
    body = await _read(request, limit=limit)
    if "Idempotency-Key" in request.headers:
        request[BODY_SHA256] = hashlib.sha256(body).hexdigest()
    return body


async def _read(request: web.BaseRequest, *, limit: int) -> bytes:
    if request.content.is_eof() and (request.content_length or 0) <= limit:
        body = at_hand(request)
        if len(body) <= limit:
            return body
        raise _too_large(len(body), limit)
    try:
        async with asyncio.timeout(_LONGEST_S):
            return await _read_slowly(request, limit=limit)
    except TimeoutError as error:
        raise RequestError("body_too_slow", f"the body was not there within {_LONGEST_S:g} s", status=408) from error


async def _read_slowly(request: web.BaseRequest, *, limit: int) -> bytes:
    body = bytearray()
    if (request.content_length or 0) <= limit:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise _too_large(max(request.content_length or 0, len(body)), limit)


def _too_large(size: int, limit: int) -> RequestError:
    return RequestError("body_too_large", f"{size} bytes or more, {limit} allowed", status=413)
