"""How Voxroll looks from outside, for `voxroll doctor`: is webhookUrl reached, and its TLS valid; is the clock right.

What is wrong is said in words with the measured value. Nothing is sent but requests that change nothing.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from engine.addresses import is_public

_ANSWER_S = 3.0  # RingCentral's subscriptions wait no longer for an answer
_RENEW = timedelta(days=14)
_OK = 200


class OutsideError(Exception):
    """What is wrong, in words."""


async def reached(url: URL, *, api: URL, answer_s: float = _ANSWER_S) -> str:
    """How the front door answers at webhookUrl, in words; slower than in `answer_s` is too slow.

    Raises:
        OutsideError: it can't be reached, from here or from where the API runs, or is not what it should be.
    """
    hosts = await asyncio.gather(_addresses(url), _addresses(api), return_exceptions=True)
    if isinstance(hosts[0], BaseException):
        raise OutsideError(f"the name {url.host} can't be resolved")
    if not isinstance(hosts[1], BaseException) and _is_public(hosts[1]):
        _check_public(url, hosts[0], api=api)
    context = ssl.create_default_context() if url.scheme == "https" else None
    began = time.monotonic()
    answered = await _healthy(url, context, answer_s)
    took_s = time.monotonic() - began
    if took_s > answer_s:
        raise OutsideError(f"{url} answers {answered} after {took_s:.1f} s; senders of callbacks wait {answer_s:g} s")
    until = f", certificate valid until {await _certified(url, context, answer_s):%Y-%m-%d}" if context else ""
    return f"{url} answers {answered} in {1000 * took_s:.0f} ms{until}"


async def clock_of(http: aiohttp.ClientSession, url: URL) -> float | None:
    """Seconds that our clock is ahead of a server's, to about half a second; None if it tells no time."""
    async with http.head(url, allow_redirects=False) as answer:
        now = datetime.now(UTC)
        try:
            told = parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            return None
    return (now - told.replace(tzinfo=told.tzinfo or UTC)).total_seconds() - 0.5  # it is cut to whole seconds


async def _addresses(url: URL) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(url.host or "", url.port or 0)
    return [str(one[4][0]) for one in found]


def _is_public(addresses: Sequence[str]) -> bool:
    return any(is_public(one) for one in addresses)


def _check_public(url: URL, addresses: Sequence[str], *, api: URL) -> None:
    if not _is_public(addresses):
        raise OutsideError(f"{url.host} is {addresses[0]}, which {api.host} can't reach")
    if url.scheme != "https":
        raise OutsideError(f"{url} is not https: callbacks from {api.host} would come unencrypted, or not at all")


async def _healthy(url: URL, context: ssl.SSLContext | None, answer_s: float) -> int:
    timeout = aiohttp.ClientTimeout(total=2 * answer_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(url / "healthz", allow_redirects=False, ssl=context or True) as answer,
        ):
            body = await answer.content.read(1_024)
    except aiohttp.ClientConnectorCertificateError as error:
        raise OutsideError(f"TLS of {url}: {_tls(error.certificate_error)}") from error
    except aiohttp.ClientSSLError as error:
        raise OutsideError(f"TLS of {url}: no such connection can be made") from error
    except TimeoutError as error:
        raise OutsideError(f"{url}: no answer within {2 * answer_s:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise OutsideError(f"{url}: {_in_words(error)}") from error
    if answer.status != _OK:
        place = answer.headers.get("Location", "")
        leads = f" and leads to {place[:100]}; redirects are not followed" if place else ""
        raise OutsideError(f"{url} answers {answer.status}{leads}; exactly 200 is needed")
    if body != b'{"status": "ok"}':
        raise OutsideError(f"{url} answers 200, but not as Voxroll's front door")
    return answer.status


async def _certified(url: URL, context: ssl.SSLContext, answer_s: float) -> datetime:
    """Until when the certificate is valid."""
    _, writer = await asyncio.wait_for(asyncio.open_connection(url.host, url.port, ssl=context), answer_s)
    shown = writer.get_extra_info("peercert")
    writer.close()
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    if until - datetime.now(UTC) < _RENEW:
        raise OutsideError(f"TLS of {url}: the certificate ends at {until:%Y-%m-%d %H:%M} UTC; renew it")
    return until


def _tls(error: Exception) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)[:200]


def _in_words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nothing listens there" if isinstance(error.os_error, ConnectionRefusedError) else "can't be reached"
    return f"no HTTP answer ({type(error).__name__})"
