"""Deliveries over real HTTP: good, slow, dead, hostile and private endpoints, and a process that dies."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from arq.connections import ArqRedis
from standardwebhooks import Webhook

from config.settings import Settings
from tests.support.lives import START, enrolled
from tests.support.serving import bound, serving, url_of
from tests.support.waiting import until
from worker.deliver import Ways
from worker.deliveries import Deliveries, poster
from worker.enrollment.facts import EnrollmentSeen
from worker.enrollment.record import SpeakerId
from worker.enrollment.steps import Policy
from worker.store.endpoint import Endpoint, Secret
from worker.store.endpoints import Endpoints
from worker.store.events import BEGIN, Bell, EventLog
from worker.store.faring import Health
from worker.store.status import StatusStore

SECRET = "whsec_" + "QUFB" * 8


@dataclass
class Receiver:
    """A server with one path for each kind of endpoint."""

    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    slow: int = 0

    async def good(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        self.got.append((dict(request.headers), body))
        return web.Response()

    async def hang(self, _request: web.Request) -> web.Response:
        self.slow += 1
        await asyncio.sleep(3600)
        return web.Response()

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65_536)
        return response

    async def away(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data")

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    made, app, listening = Receiver(), web.Application(), bound()
    app.add_routes([web.post(f"/{one.__name__}", one) for one in (made.good, made.hang, made.endless, made.away)])
    async with serving(app, on=listening):
        yield made, url_of(listening)


class Account:
    """Speakers who are told of, and endpoints that are told."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.log = EventLog(redis, account=settings.account, kept=1000)
        self.endpoints = Endpoints(redis, account=settings.account)
        self.store = StatusStore(redis, account=settings.account, policy=Policy(), events_kept=1000)

    async def add(self, name: str, url: str) -> None:
        made = Endpoint(
            endpoint_id=name,
            url=url,
            types=(),
            is_full=True,
            description="",
            created_at=START,
            secrets=(Secret(value=SECRET),),
        )
        await self.endpoints.add(made, behind=BEGIN)

    async def enroll(self, *names: str) -> None:
        for name in names:
            await self.store.apply(SpeakerId(name), EnrollmentSeen(at=START, enrollment=enrolled(1)))

    @contextlib.asynccontextmanager
    async def delivering(self, *, allow_private: bool = True) -> AsyncIterator[asyncio.Event]:
        async def document(speaker_id: str) -> dict[str, Any]:
            return {"speakerId": speaker_id}

        stop = asyncio.Event()
        async with poster(allow_private=allow_private) as post:
            ways = Ways(self.log, self.endpoints, post, document, lambda: datetime.now(UTC))
            task = asyncio.create_task(Deliveries(ways, Bell(self.log)).run(stop))
            try:
                yield stop
            finally:
                stop.set()
                await task

    async def reaches(self, name: str, *, delivered: int = 0, failed: int = 0) -> Health:
        async def is_so() -> bool:
            found = await self.endpoints.health(name)
            return found.delivered >= delivered and found.failed >= failed

        await until(is_so)
        return await self.endpoints.health(name)


@pytest.fixture
def account(redis: ArqRedis, settings: Settings) -> Account:
    return Account(redis, settings)


async def test_dead_slow_and_hostile_endpoints_delay_no_other(account: Account, receiver: tuple[Receiver, str]) -> None:
    here, url = receiver
    await account.add("dead", "http://127.0.0.1:1/hook")
    for name in ("hang", "endless", "away", "good"):
        await account.add(name, f"{url}/{name}")
    async with account.delivering():
        await account.enroll(*(f"s{number}" for number in range(20)))
        good = await account.reaches("good", delivered=40)  # two events each
        assert (good.failed, good.waiting) == (0, 0)
        assert (await account.reaches("dead", failed=20)).answer == "ClientConnectorError"
        assert (await account.reaches("away", failed=20)).answer == "302"
        assert (await account.reaches("endless", delivered=40)).failed == 0  # it said 200; its body is nothing to us
        assert here.slow == 8
    sequences: dict[str, list[int]] = defaultdict(list)
    for one in here.events:
        assert one["speaker"] == {"speakerId": one["speakerId"]}
        sequences[one["speakerId"]].append(one["sequence"])
    assert all(numbers == [1, 2] for numbers in sequences.values())


async def test_private_addresses_are_refused_unless_allowed(account: Account, receiver: tuple[Receiver, str]) -> None:
    here, url = receiver
    await account.add("number", f"{url}/good")
    await account.add("name", f"{url.replace('127.0.0.1', 'localhost')}/good")
    async with account.delivering(allow_private=False):
        await account.enroll("anna")
        assert (await account.reaches("number", failed=1)).answer == "forbidden_address"
        assert (await account.reaches("name", failed=1)).answer == "forbidden_address"
    assert here.got == []


async def test_one_leads_and_when_it_stops_another_goes_on(account: Account, receiver: tuple[Receiver, str]) -> None:
    here, url = receiver
    await account.add("good", f"{url}/good")
    async with account.delivering() as first, account.delivering():
        await account.enroll("anna")
        await account.reaches("good", delivered=2)
        first.set()
        await account.enroll("ben")
        await account.reaches("good", delivered=4)
    assert [one["id"] for one in here.events] == list(dict.fromkeys(one["id"] for one in here.events))


async def test_who_is_superseded_leads_no_more(account: Account, redis: ArqRedis) -> None:
    assert await account.endpoints.lead("e", "one", for_s=0.05)
    assert not await account.endpoints.lead("e", "two", for_s=10)
    await until(lambda: account.endpoints.lead("e", "two", for_s=10))
    assert not await account.endpoints.lead("e", "one", for_s=10)
    await account.endpoints.let_go("e", "one")  # not its own any more
    assert not await account.endpoints.lead("e", "one", for_s=10)
    await account.endpoints.remove("e")
    assert await redis.keys("*:endpoint:e:*") == []
