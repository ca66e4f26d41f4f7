"""Deliveries in a worker's process: lead as many endpoints as nobody else leads, and stop in good order.

Each endpoint is led by one process at a time, by a lease of seconds; when that process dies another takes over, and
what was under way is sent again.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping

import aiohttp
import structlog
from redis.exceptions import RedisError
from yarl import URL

from config.process import end
from engine import addresses
from engine.addresses import ForbiddenAddressError
from worker.deliver import Answer, Pump, Ways
from worker.store.events import Bell

_LEASE_S = 10.0
_RENEW_S = 3.0
_LOOK_S = 1.0  # how often endpoints without a leader are looked for, and how long a quiet stream is waited on
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
        self._token = uuid.uuid4().hex
        self._led: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`."""
        ringing = asyncio.create_task(self._bell.run())
        try:
            while not stop.is_set():
                with contextlib.suppress(RedisError, OSError):
                    await self._look(stop)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _LOOK_S)
        finally:
            stop.set()
            await asyncio.gather(*self._led.values(), end(ringing))

    async def _look(self, stop: asyncio.Event) -> None:
        """Lead each endpoint that nobody leads."""
        for endpoint in await self._ways.endpoints.all():
            name = endpoint.endpoint_id
            if name in self._led or endpoint.disabled:
                continue
            if await self._ways.endpoints.lead(name, self._token, for_s=_LEASE_S):
                self._led[name] = asyncio.create_task(self._lead(name, stop))

    async def _lead(self, name: str, stop: asyncio.Event) -> None:
        """Deliver to an endpoint until `stop`, until it is gone, or until somebody else leads it."""
        pump = Pump(self._ways, name)
        tasks = [asyncio.create_task(one) for one in (self._keep(name), self._pump(pump), stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await end(*tasks)
            await pump.close()
            with contextlib.suppress(RedisError, OSError):
                await self._ways.endpoints.let_go(name, self._token)
        finally:
            del self._led[name]

    async def _keep(self, name: str) -> None:
        """Stay the leader; ends once that can't be said any more."""
        loop = asyncio.get_running_loop()
        kept_s = loop.time()
        while loop.time() - kept_s < _LEASE_S - _RENEW_S:
            await asyncio.sleep(_RENEW_S)
            with contextlib.suppress(RedisError, OSError):
                if not await self._ways.endpoints.lead(name, self._token, for_s=_LEASE_S):
                    return
                kept_s = loop.time()

    async def _pump(self, pump: Pump) -> None:
        while True:
            news = self._bell.next()
            try:
                if not await pump.step():
                    return
            except (RedisError, OSError) as error:
                _log.warning("events.interrupted", reason=type(error).__name__)
                await asyncio.sleep(_LOOK_S)
                continue
            await pump.landed(or_news=news, at_most_s=_LOOK_S)


@contextlib.asynccontextmanager
async def poster(*, allow_private: bool) -> AsyncIterator["Poster"]:
    """What posts, with its connections."""
    async with aiohttp.ClientSession(
        connector=addresses.connector(allow_private=allow_private, limit=0),
        timeout=_TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
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
