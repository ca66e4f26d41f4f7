"""Deliveries in a worker's process: each endpoint is led by one process at a time.

When that process dies another takes over, and what was under way is sent again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import aiohttp
import structlog
from redis.exceptions import RedisError
from yarl import URL

from config.process import end
from engine import addresses
from engine.addresses import ForbiddenAddressError
from worker.deliver import Answer, Pump, Ways
from worker.leading import LOOK_S, Leading
from worker.store.events import Bell

_TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)
_READ = 65_536  # of an answer's body, so that its connection can be used again
_LONGEST_WAIT_S = 3600.0

_log = structlog.get_logger()


class Deliveries:
    """Everything that goes out to endpoints from this process.

    Args:
        ways: what pumps work with.
        bell: rings when there are new events.
    """

    def __init__(self, ways: Ways, bell: Bell) -> None:
        self._ways = ways
        self._bell = bell
        self._unreadable: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`."""
        ringing = asyncio.create_task(self._bell.run())
        leading = Leading(
            self._ways.endpoints, names=self._enabled, begin=lambda name: _Delivery(self._ways, name, bell=self._bell)
        )
        try:
            await leading.run(stop)
        finally:
            await end(ringing)

    async def _enabled(self) -> list[str]:
        readable, unreadable = await self._ways.endpoints.all()
        for name in unreadable.keys() - self._unreadable.keys():
            _log.error("endpoint.unreadable", endpoint=name, reason=unreadable[name])
        self._unreadable = unreadable
        return [one.endpoint_id for one in readable if not one.disabled]


class _Delivery:
    """What goes out to one endpoint."""

    def __init__(self, ways: Ways, name: str, *, bell: Bell) -> None:
        self._pump = Pump(ways, name)
        self._bell = bell

    async def run(self) -> None:
        while True:
            news = self._bell.next()
            try:
                if not await self._pump.step():
                    return
            except (RedisError, OSError) as error:
                _log.warning("events.interrupted", reason=type(error).__name__)
                await asyncio.sleep(LOOK_S)
                continue
            await self._pump.landed(or_news=news, at_most_s=LOOK_S)

    async def close(self) -> None:
        await self._pump.close()


@contextlib.asynccontextmanager
async def poster(*, allow_private: bool) -> AsyncIterator["Poster"]:
    """What posts, with its connections."""
    async with aiohttp.ClientSession(
        connector=addresses.connector(allow_private=allow_private, limit=0),
        timeout=_TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # the answer's body is nothing to us
        headers={"User-Agent": "Voxroll/0.1"},
        trust_env=False,
    ) as http:
        yield Poster(http, allow_private=allow_private)


class Poster:
    """Posts events; redirects are not followed, and only public addresses are spoken to unless others are allowed."""

    def __init__(self, http: aiohttp.ClientSession, *, allow_private: bool) -> None:
        self._http = http
        self._allow_private = allow_private

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once."""
        try:
            addresses.check(URL(url), allow_private=self._allow_private)
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(_READ)
                return Answer(answer.status, retry_after_s=_retry_after_s(answer.headers.get("Retry-After", "")))
        except ForbiddenAddressError:
            return Answer(reason="forbidden_address")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            forbidden = isinstance(error.__cause__, ForbiddenAddressError)
            return Answer(reason="forbidden_address" if forbidden else type(error).__name__)


def _retry_after_s(text: str) -> float:
    """Seconds that an answer asks for, an hour at most; dates are not read."""
    return min(float(text), _LONGEST_WAIT_S) if text.isdecimal() and len(text) < 9 else 0.0  # noqa: PLR2004 -- digits
