"""What goes wrong with deliveries: nothing is lost for it, nothing sent over and over, nothing left behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from config.settings import Settings
from tests.support.lives import START
from tests.support.waiting import until
from tests.worker.events.outside import Line
from worker.contract.events import PREFIX
from worker.deliver import Answer, Pump, Ways
from worker.deliveries import Deliveries
from worker.enrollment.errors import UnreadableError
from worker.store import keys
from worker.store.endpoint import Endpoint
from worker.store.endpoints import Endpoints
from worker.store.events import Bell
from worker.store.faring import Fared, Waiting

NEWER = {
    "id": "newer", "url": "http://newer", "types": [], "full": False, "description": "", "disabled": "",
    "createdAt": START.isoformat(), "secrets": [["whsec_QUFB", None]], "batchOf": 10,
}  # fmt: skip


@pytest.fixture
async def line(redis: ArqRedis, settings: Settings) -> Line:
    return Line(redis, settings)


async def test_an_event_that_is_refused_while_others_are_taken_keeps_its_three_days(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [500] + [200, 500] * 40
    await line.tell("anna", 0)
    await line.work(pump)
    for number in range(1, 40):  # a minute apart, and taken: the endpoint is there
        line.outside.now += timedelta(seconds=61)
        await line.tell("ben", number)
        await line.work(pump)
    health = await line.endpoints.health("crm")
    assert (health.given_up, health.failed > 10) == (0, True)
    line.outside.answers.clear()
    await line.wait("crm", pump)
    assert line.outside.order("http://crm")["anna"] == [0]


async def test_a_quick_row_of_taken_events_does_not_hammer_one_that_is_refused(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [500]
    await line.tell("anna", 0)
    await line.work(pump)
    await line.tell("ben", 1)
    line.outside.answers["http://crm"] = [200, 500]
    await line.work(pump)  # ben's is the first that is ever taken: anna's is tried again, and refused
    tried = len(line.outside.seen)
    for number in range(2, 12):
        await line.tell("ben", number)
        await line.work(pump)
    assert len(line.outside.seen) == tried + 10


async def test_who_says_that_an_endpoint_is_back_need_not_wait_for_the_next_try(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [500] * 2
    await line.tell("anna", 1)
    await line.work(pump)
    line.outside.now += timedelta(seconds=7)
    await line.work(pump)  # the next try is in five minutes
    known = await line.endpoints.get("crm")
    assert known
    last = (await line.log.bounds()).last
    again = line.endpoints.replay(known, line.log, behind="0-0", until=last, types=(), now=line.outside.now, most=9)
    assert await again == 1
    await line.work(pump)
    assert line.outside.order("http://crm") == {"anna": [1, 1]}


async def test_what_was_taken_is_written_down_in_a_redis_that_is_full(line: Line, redis: ArqRedis) -> None:
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [500]
    await line.tell("anna", 1)
    await line.work(pump)
    await line.tell("ben", 2)
    await pump.step()
    await redis.config_set("maxmemory", "1")
    try:
        await line.wait("crm", pump)
    finally:
        await redis.config_set("maxmemory", "0")
    assert line.outside.order("http://crm") == {"ben": [2], "anna": [1]}
    assert (await line.endpoints.health("crm")).delivered == 2


async def test_what_can_not_be_written_down_is_not_sent_again_and_again(
    line: Line, redis: ArqRedis, settings: Settings
) -> None:
    pump, health = await line.add("crm"), keys.endpoint(settings.account, "crm", "health")
    line.outside.held["http://crm"] = asyncio.Event()
    await line.tell("anna", 1)
    await pump.step()
    await until(lambda: bool(line.outside.seen))
    await redis.set(health, "no hash", ex=60)
    line.outside.held.pop("http://crm").set()
    for _ in range(20):
        with suppress(RedisError):
            await pump.step()
        await pump.landed(at_most_s=0.02)
    assert len(line.outside.seen) == 1
    await pump.close()
    await redis.delete(health)
    await line.work(Pump(line.ways, "crm"))
    assert line.outside.order("http://crm")["anna"] == [1, 1]  # at least once


async def test_a_leader_that_was_superseded_gives_up_nothing_of_its_successor_s(line: Line) -> None:
    pump = await line.add("crm")
    line.outside.held["http://crm"] = asyncio.Event()
    await line.tell("anna", 1)
    await line.tell("anna", 2)
    await pump.step()
    await until(lambda: bool(line.outside.seen))
    now_ms = round(line.outside.now.timestamp() * 1000)
    ((_, places, _),) = await line.endpoints.due("crm", now_ms=now_ms, limit=1, events=9)
    await line.endpoints.settle("crm", "anna", Fared(done=places[:1]), now_ms=now_ms)
    late = Fared(done=(), failed=places[0], failure="500", again_ms=None)
    await line.endpoints.settle("crm", "anna", late, now_ms=now_ms)
    await pump.close()
    line.outside.held.clear()
    await line.work(Pump(line.ways, "crm"))
    assert line.outside.order("http://crm") == {"anna": [2]}
    health = await line.endpoints.health("crm")
    assert (health.given_up, health.queued, health.delivered) == (0, 0, 2)


async def test_of_an_endpoint_that_is_removed_nothing_is_left(line: Line, redis: ArqRedis, settings: Settings) -> None:
    pump = await line.add("crm")
    line.outside.held["http://crm"] = asyncio.Event()
    for number in range(3):
        await line.tell(f"s{number}", number)
    await pump.step()
    await until(lambda: len(line.outside.seen) == 3)
    assert await line.endpoints.remove("crm")
    line.outside.held.pop("http://crm").set()
    await until(lambda: pump.is_idle)
    assert not await pump.step()
    assert not await line.endpoints.take("crm", seen="0-0", until="1-1", chosen=[("s", "1-1")], now_ms=1)
    assert await redis.keys(f"vx:{{{settings.account}}}:endpoint:*") == []
    assert not await line.endpoints.remove("crm")


async def test_an_endpoint_that_is_removed_meanwhile_ends_the_look_at_a_long_stream(line: Line) -> None:
    line.ways = replace(line.ways, read=5)
    pump = await line.add("crm")
    known = await line.endpoints.get("crm")
    assert known
    for number in range(12):
        await line.tell("anna", number)
    await line.endpoints.remove("crm")
    assert not await pump._take_new(known)  # noqa: SLF001 -- as `step` does, after it had found the endpoint


async def test_what_waits_for_a_dead_endpoint_is_bounded(line: Line) -> None:
    line.ways = replace(line.ways, read=5, queued_most=10)
    pump = await line.add("crm")
    line.outside.answers["http://crm"] = [0] * 2
    for number in range(30):
        await line.tell("anna", number)
    await line.work(pump)
    assert (await line.endpoints.health("crm")).queued == 10
    for _ in range(5):
        await line.wait("crm", pump)
    assert line.outside.order("http://crm")["anna"] == list(range(30))
    assert (await line.endpoints.health("crm")).queued == 0


async def test_what_the_stream_forgot_before_an_endpoint_came_to_it_is_told(
    line: Line, redis: ArqRedis, settings: Settings
) -> None:
    pump = await line.add("crm")
    await line.tell("anna", 1)
    await line.work(pump)
    assert (await line.endpoints.health("crm")).missed_ms == 0
    for number in range(2, 6):
        await line.tell("anna", number)
    await redis.xtrim(keys.events(settings.account), maxlen=2, approximate=False)
    await line.work(pump)
    first = (await line.log.bounds()).first
    assert (await line.endpoints.health("crm")).missed_ms == int(first.split("-")[0])
    assert line.outside.order("http://crm")["anna"] == [1, 4, 5]


async def test_an_entry_that_is_no_event_holds_up_nothing(line: Line, redis: ArqRedis, settings: Settings) -> None:
    pump = await line.add("crm")
    stream = keys.events(settings.account)
    for name, text in (("event", "{"), ("other", "1"), ("event", "[]"), ("event", '{"type": 1, "at": "now"}')):
        await redis.xadd(stream, {name: text})
    await line.tell("anna", 1)
    await line.work(pump)
    assert line.outside.order("http://crm") == {"anna": [1]}
    (newest,) = [event for _, event in await line.log.before(None, limit=9) if event]
    assert newest.id.startswith(PREFIX)


async def test_a_speaker_who_can_not_be_shown_is_tried_later_and_the_others_go_on(line: Line) -> None:
    async def document(speaker_id: str) -> dict[str, Any]:
        return {"speakerId": {"ben": "ben"}[speaker_id]}

    await line.add("crm")
    await line.endpoints.change("crm", lambda known: replace(known, is_full=True))
    for number in range(20):
        await line.tell(f"s{number}", number)
    await line.tell("ben", 20)
    await line.work(Pump(replace(line.ways, document=document), "crm"))
    health = await line.endpoints.health("crm")
    assert (health.delivered, health.failed >= 20, line.outside.order("http://crm")) == (1, True, {"ben": [20]})


@asynccontextmanager
async def delivering(ways: Ways) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(Deliveries(ways, Bell(ways.log)).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


@pytest.mark.parametrize("blob", ["{", "[]", "{}", json.dumps(NEWER)])
async def test_an_endpoint_that_can_not_be_read_is_left_as_it_is_and_the_others_go_on(
    line: Line, redis: ArqRedis, settings: Settings, *, blob: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = keys.endpoints(settings.account)
    await redis.hset(place, "newer", blob)  # type: ignore[misc]  # typed for both clients
    await line.add("crm")
    async with delivering(line.ways):
        await line.tell("anna", 1)
        await until(lambda: bool(line.outside.got["http://crm"]))
        await line.tell("anna", 2)
        await until(lambda: len(line.outside.got["http://crm"]) == 2)
    assert capsys.readouterr().out.count("endpoint.unreadable") == 1
    readable, unreadable = await line.endpoints.all()
    assert ([one.endpoint_id for one in readable], list(unreadable)) == (["crm"], ["newer"])

    def disabled(known: Endpoint) -> Endpoint:
        return replace(known, disabled="by hand")

    with pytest.raises(UnreadableError, match="endpoint_unreadable"):
        await line.endpoints.change("newer", disabled)
    assert await redis.hget(place, "newer") == blob.encode()  # type: ignore[misc]  # typed for both clients
    assert await line.endpoints.remove("newer")


class LateEndpoints(Endpoints):
    """What is due is read at once, and answered when the test says so."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        super().__init__(redis, account=settings.account)
        self.read, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    async def due(self, endpoint_id: str, *, now_ms: int, limit: int, events: int) -> list[Waiting]:
        found = await super().due(endpoint_id, now_ms=now_ms, limit=limit, events=events)
        self.read.set()
        await self.may_answer.wait()
        return found


async def test_what_was_delivered_while_the_due_were_asked_for_is_not_sent_again(
    line: Line, redis: ArqRedis, settings: Settings
) -> None:
    posted, is_posting, is_taken = list[str](), asyncio.Event(), asyncio.Event()

    async def post(_url: str, body: bytes, _headers: Mapping[str, str]) -> Answer:
        posted.append(json.loads(body)["id"])
        is_posting.set()
        await is_taken.wait()
        return Answer(200)

    late = LateEndpoints(redis, settings)
    await line.add("crm")
    pump = Pump(replace(line.ways, endpoints=late, post=post), "crm")
    await line.tell("anna", 0)
    await pump.step()
    await is_posting.wait()
    late.read.clear()
    late.may_answer.clear()
    stepping = asyncio.create_task(pump.step())
    await late.read.wait()  # the event is among the due, as it is under way
    is_taken.set()
    await pump.landed()
    late.may_answer.set()
    await stepping
    await line.work(pump)
    assert len(posted) == 1
    assert (await line.endpoints.health("crm")).delivered == 1
