"""Fetching a recording: from the object store (uploads), from a file, or over http(s), into a local file.

Bounded in bytes and time. Over http only public addresses are spoken to, checked when the connection is made, so that
a name that resolves elsewhere the second time gains nothing; redirects are not followed.
"""

import ipaddress
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

from config.settings import Intake
from worker.ending import ending_of
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.store import objects
from worker.store.objects import ObjectStore

_PIECE = 262_144


class ForbiddenAddressError(OSError):
    """The name stands for an address that recordings are not fetched from."""


class Fetcher:
    """Copies recordings to local files."""

    def __init__(self, store: ObjectStore, *, intake: Intake) -> None:
        self._objects = store
        self._intake = intake

    async def fetch(self, source: str, *, to: Path) -> Path:
        """The recording as a local file: `to`, with its ending where only that tells what it is, or the file itself.

        Raises:
            RejectError: `not_found`, `too_large`, `forbidden_source`, `unreadable_source`.
            RetryLaterError: it may be there later.
        """
        parts = urlsplit(source)
        match parts.scheme:
            case objects.UPLOAD_SCHEME:
                path = to.with_suffix(ending_of(source))
                await self._objects.download(source.removeprefix(f"{objects.UPLOAD_SCHEME}:"), path)
                return path
            case "file":
                return self._local(Path(unquote(parts.path)))
            case "http" | "https":
                return await self._download(URL(source), to)
            case other:
                raise RejectError("forbidden_source", f"{other}: sources; use a path, file:, http: or https:")

    def _local(self, path: Path) -> Path:
        try:
            size = path.stat().st_size
        except OSError as error:
            raise RejectError(
                "not_found", f"{path}: {error.strerror}; check the path on the worker's machine"
            ) from error
        self._check_size(size)
        return path

    def _check_size(self, size: int) -> None:
        limit = self._intake.max_bytes
        if size > limit:
            raise RejectError("too_large", f"{size} bytes, {limit} allowed; raise VOXROLL_INTAKE_MAX_BYTES or split it")

    async def _download(self, url: URL, to: Path) -> Path:
        seconds = self._intake.timeout.total_seconds()
        try:
            async with _session(seconds=seconds, allow_private=self._intake.allow_private) as http:
                _check_literal(url, allow_private=self._intake.allow_private)
                async with http.get(url, allow_redirects=False) as answer:
                    _check_status(answer)
                    path = to.with_suffix(ending_of(url.path, media_type=answer.content_type))
                    await self._save(answer, path)
                    return path
        except ForbiddenAddressError as error:
            raise RejectError("forbidden_source", str(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error.__cause__, ForbiddenAddressError):
                raise RejectError("forbidden_source", str(error.__cause__)) from error
            if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
                raise RejectError("unreadable_source", "the URL can't be read") from error
            raise RetryLaterError("source_unreachable", f"{url.host}: {type(error).__name__}") from error

    async def _save(self, answer: aiohttp.ClientResponse, to: Path) -> None:
        self._check_size(answer.content_length or 0)
        size = 0
        with to.open("wb") as file:
            async for piece in answer.content.iter_chunked(_PIECE):
                size += len(piece)
                self._check_size(size)
                file.write(piece)


def _check_status(answer: aiohttp.ClientResponse) -> None:
    status = answer.status
    if status in {404, 410}:
        raise RejectError("not_found", f"the server answered {status}; check the URL")
    if status in {408, 425, 429} or status >= 500:  # noqa: PLR2004 -- server errors
        raise RetryLaterError("source_unavailable", f"the server answered {status}")
    if status != 200:  # noqa: PLR2004 -- OK
        raise RejectError("unreadable_source", f"the server answered {status}; a plain 200 is needed, without redirect")


def _session(*, seconds: float, allow_private: bool) -> aiohttp.ClientSession:
    resolver = None if allow_private else _PublicOnly()
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=10)
    connector = aiohttp.TCPConnector(resolver=resolver, force_close=True, use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)


class _PublicOnly(AbstractResolver):
    """Resolves names, and refuses those that stand for an address that is not public."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            _check_public(host, result["host"])
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _check_literal(url: URL, *, allow_private: bool) -> None:
    """Addresses that stand in the URL itself never meet the resolver."""
    if not allow_private and url.host and _is_address(url.host):
        _check_public(url.host, url.host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_public(host: str, address: str) -> None:
    if not is_public(address):
        message = (
            f"{host} stands for {address}, not a public address; set VOXROLL_INTAKE_ALLOW_PRIVATE=true to allow it"
        )
        raise ForbiddenAddressError(message)


def is_public(address: str) -> bool:
    """Whether an IP address is one that the whole internet can reach, tunnels and embedded IPv4 included."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour or ip.teredo or ip in ipaddress.ip_network("64:ff9b::/96"):
            return False
    return ip.is_global and not ip.is_multicast
