"""Reading the bodies of requests: never more than is allowed, never longer than a slow sender deserves."""

import asyncio

from aiohttp import web

from worker.enrollment.errors import RequestError

_LONGEST_S = 10.0


def at_hand(request: web.BaseRequest) -> bytes:
    """What has come of the body by now and was not read; nothing where its framing is broken."""
    return b"" if request.content.exception() else request.content.read_nowait()


async def read_body(request: web.BaseRequest, *, limit: int) -> bytes:
    """The request's body.

    Raises:
        RequestError: `body_too_large`, `body_too_slow`.
    """
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
