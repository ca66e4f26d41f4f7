"""A file from a foreign URL, for the workshop's recordings and for the service's `contentUri`: one guard for both.

Bounded in bytes and time. Only http(s), and only public addresses unless private ones are allowed; the address is
checked when the connection is made, so that a name that resolves elsewhere the second time gains nothing, and at every
redirect again. No settings are read here and no word of the contract is known; what goes wrong has a code.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from engine import addresses
from engine.addresses import ForbiddenAddressError, Public, is_public

_PIECE = 262_144
_CONNECT_S = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429})
_GONE = frozenset({404, 410})
_OK, _SERVER_ERRORS = 200, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is fetched at all.

    Attributes:
        max_bytes: of the body, after any content coding.
        seconds: for everything, redirects included.
        allow_private: speak to private, link-local and loopback addresses too.
        redirects: followed at most.
        settings: how the variables begin that lift these limits, for messages.
        public: which addresses count as public.
    """

    max_bytes: int
    seconds: float
    allow_private: bool
    redirects: int
    settings: str
    public: Public = is_public


class DownloadError(Exception):
    """The file can't be had.

    Args:
        code: `not_found`, `too_large`, `forbidden_source`, `unreadable_source`, `source_unavailable` or
            `source_unreachable`.
        message: what was found, and the way out.
        is_passing: it may be there later.
    """

    def __init__(self, code: str, message: str, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_passing = is_passing


def check_size(size: int, limits: Limits) -> None:
    """Refuse what is too large.

    Raises:
        DownloadError: `too_large`.
    """
    if size > limits.max_bytes:
        raise DownloadError(
            "too_large", f"{size} bytes, {limits.max_bytes} allowed; raise {limits.settings}_MAX_BYTES or split it"
        )


async def download(url: str, to: Path, limits: Limits) -> str:
    """Copy what lies at a URL to a file; returns its media type.

    Raises:
        DownloadError: it can't be had, or not now.
    """
    host = urlsplit(url).hostname
    try:
        async with asyncio.timeout(limits.seconds), _session(limits) as http:
            return await _follow(http, URL(url), to, limits)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        cause = error.__cause__
        if isinstance(cause, ForbiddenAddressError):
            raise _forbidden(str(cause), limits) from error
        if isinstance(error, ValueError):  # aiohttp's InvalidURL is one, and what yarl raises
            raise DownloadError("unreadable_source", "the URL can't be read") from error
        reason = f"{host}: {type(error).__name__}"
        raise DownloadError("source_unreachable", reason, is_passing=True) from error


async def _follow(http: aiohttp.ClientSession, url: URL, to: Path, limits: Limits) -> str:
    for _ in range(limits.redirects + 1):
        _check_url(url, limits)
        async with http.get(url, allow_redirects=False) as answer:
            target = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or target is None or not limits.redirects:
                _check_status(answer)
                await _save(answer, to, limits)
                return answer.content_type
            url = answer.url.join(URL(target))
    raise DownloadError("unreadable_source", f"more than {limits.redirects} redirects; send the last URL itself")


def _check_url(url: URL, limits: Limits) -> None:
    if url.scheme not in {"http", "https"} or not url.host:
        raise DownloadError("forbidden_source", f"{url.scheme or 'relative'}: URLs; use http: or https:")
    try:
        addresses.check(url, allow_private=limits.allow_private, public=limits.public)
    except ForbiddenAddressError as error:
        raise _forbidden(str(error), limits) from error


def _forbidden(host: str, limits: Limits) -> DownloadError:
    message = f"{host} is no public address; set {limits.settings}_ALLOW_PRIVATE=true to allow it"
    return DownloadError("forbidden_source", message)


def _check_status(answer: aiohttp.ClientResponse) -> None:
    status = answer.status
    if status in _GONE:
        raise DownloadError("not_found", f"the server answered {status}; check the URL")
    if status in _PASSING or status >= _SERVER_ERRORS:
        raise DownloadError("source_unavailable", f"the server answered {status}", is_passing=True)
    if status in _REDIRECTS:
        raise DownloadError(
            "unreadable_source", f"the server answered {status}; a plain 200 is needed, without redirect"
        )
    if status != _OK:
        raise DownloadError("unreadable_source", f"the server answered {status}; 200 is needed, without credentials")


async def _save(answer: aiohttp.ClientResponse, to: Path, limits: Limits) -> None:
    check_size(answer.content_length or 0, limits)
    size = 0
    with to.open("wb") as file:
        async for piece in answer.content.iter_chunked(_PIECE):
            size += len(piece)
            check_size(size, limits)
            file.write(piece)


def _session(limits: Limits) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=addresses.connector(allow_private=limits.allow_private, public=limits.public, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
