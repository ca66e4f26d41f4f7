"""Which addresses a URL that others give us may lead to: public ones alone, unless private ones are allowed.

Checked when the connection is made, so that a name that resolves elsewhere the second time gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

Public = Callable[[str], bool]  # whether an IP address is one that may be spoken to


class ForbiddenAddressError(OSError):
    """A name or an address that is not public; its words are the host."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that the whole internet can reach, tunnels and embedded IPv4 included."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour or ip.teredo or ip in ipaddress.ip_network("64:ff9b::/96"):
            return False
    return ip.is_global and not ip.is_multicast


def connector(
    *, allow_private: bool, public: Public = is_public, force_close: bool = False, limit: int = 100
) -> aiohttp.TCPConnector:
    """Connections to public addresses, or to any.

    A name that stands for another address ends in a `ClientError` whose `__cause__` is a `ForbiddenAddressError`; an
    address that stands in the URL itself never meets it (`check`).
    """
    resolver = None if allow_private else _PublicOnly(public)
    return aiohttp.TCPConnector(resolver=resolver, force_close=force_close, use_dns_cache=False, limit=limit)


def check(url: URL, *, allow_private: bool, public: Public = is_public) -> None:
    """Refuse a URL with an address in it that is not public.

    Raises:
        ForbiddenAddressError: it is one.
    """
    if not allow_private and url.host and _is_address(url.host) and not public(url.host):
        raise ForbiddenAddressError(url.host)


class _PublicOnly(AbstractResolver):
    """Resolves names, and refuses those that stand for an address that is not public."""

    def __init__(self, public: Public) -> None:
        self._public = public
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not all(self._public(result["host"]) for result in found):
            raise ForbiddenAddressError(host)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
