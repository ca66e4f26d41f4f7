"""The answer to an accepted callback, made once a second and written as it is: most of what a request costs otherwise.

Only for clients of HTTP/1.1 that keep their connection; the others get an ordinary response with the same content.
"""

import time
from email.utils import formatdate

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

_BODY = b"{}"


class _Prepared(web.StreamResponse):
    """Writes the same bytes for everybody; only its date changes."""

    def __init__(self) -> None:
        super().__init__()
        self._made_at, self._bytes = 0, b""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the whole answer; a client that has gone gets nothing."""
        if (now := int(time.time())) != self._made_at:
            self._made_at, self._bytes = now, _answer(now)
        if request.transport is not None:
            request.transport.write(self._bytes)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""

    @property
    def keep_alive(self) -> bool:
        """The connection stays open."""
        return True


_PREPARED = _Prepared()


def accepted(request: web.BaseRequest, *, echo: str = "") -> web.StreamResponse:
    """200: the callback is written down."""
    if not echo and request.version == HttpVersion11 and request.keep_alive:
        return _PREPARED
    headers = {"Validation-Token": echo} if echo else None
    return web.Response(body=_BODY, content_type="application/json", headers=headers)


def _answer(now: int) -> bytes:
    head = (
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"Content-Length: {len(_BODY)}",
        f"Date: {formatdate(now, usegmt=True)}",
    )
    return "\r\n".join([*head, "", ""]).encode() + _BODY
