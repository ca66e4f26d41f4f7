"""Events by HTTP: pages, server-sent events that resume without a gap, endpoints and their secrets."""

import asyncio
import json
from typing import Any

import aiohttp
import jsonschema
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import front_door, token
from tests.support.lives import START, enrolled
from worker.contract.events import CATALOGUE, schema
from worker.enrollment.facts import EnrollmentSeen, SpeakerErased
from worker.enrollment.record import SpeakerId
from worker.store import keys
from worker.store.events import EventLog
from worker.store.status import StatusStore


async def enroll(store: StatusStore, name: str, number: int = 1) -> None:
    await store.apply(SpeakerId(name), EnrollmentSeen(at=START, enrollment=enrolled(number)))


async def listed(door: aiohttp.ClientSession, **query: str) -> dict[str, Any]:
    async with door.get("/v1/events", params=query) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status == 200, found
        return found


class Watcher:
    """One who follows the events."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> dict[str, Any]:
        """The next event: id, type and data."""
        async with asyncio.timeout(10):
            found: dict[str, Any] = {}
            while True:
                line = (await self._answer.content.readline()).decode().rstrip("\n")
                if not line and "data" in found:
                    return found
                name, colon, value = line.partition(": ")
                if colon and name:
                    found[name] = json.loads(value) if name == "data" else value


async def test_events_of_a_speaker_are_numbered_and_fit_their_schema(
    door: aiohttp.ClientSession, store: StatusStore
) -> None:
    await enroll(store, "anna", 1)
    await enroll(store, "ben", 1)
    await enroll(store, "anna", 2)
    await store.apply(SpeakerId("anna"), SpeakerErased(at=START))
    found = (await listed(door))["events"]
    assert [(one["speakerId"], one["sequence"]) for one in reversed(found)][:3] == [
        ("anna", 1),
        ("anna", 2),
        ("ben", 1),
    ]
    of_anna = (await listed(door, speaker="anna", since=START.isoformat()))["events"]
    assert [one["sequence"] for one in of_anna] == list(range(1, len(of_anna) + 1))
    assert of_anna[-1]["type"] == "speaker.erased"
    for one in found:
        jsonschema.validate(one, schema(one["type"]))


async def test_pages_go_both_ways_and_hold_what_was_asked_for(door: aiohttp.ClientSession, store: StatusStore) -> None:
    for number in range(7):
        await enroll(store, f"s{number}")
    everything = (await listed(door, limit="500"))["events"]
    seen: list[dict[str, Any]] = []
    page = await listed(door, limit="3")
    while True:
        seen += page["events"]
        if not page["next"]:
            break
        page = await listed(door, limit="3", before=page["next"])
    assert seen == everything
    completed = (await listed(door, types="enrollment.comp*", after="evt_0-0"))["events"]
    assert [one["speakerId"] for one in completed] == [f"s{number}" for number in range(7)]
    async with door.get(f"/v1/events/{completed[0]['id']}") as answer:
        assert await answer.json() == completed[0]


@pytest.mark.parametrize("query", [{"before": "evt_0-0"}, {"after": f"evt_{2**64 - 1}-{2**64 - 1}"}])
async def test_before_the_first_and_after_the_last_there_is_nothing(
    door: aiohttp.ClientSession, store: StatusStore, query: dict[str, str]
) -> None:
    await enroll(store, "anna")
    assert await listed(door, **query) == {"events": [], "next": None}
    async with door.get("/v1/callbacks", params={"before": "0-0"}) as answer:
        assert await answer.json() == {"callbacks": [], "next": None}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"types": "enrolment.*"}, "event_type_unknown"),
        ({"after": "yesterday"}, "invalid_request"),
        ({"limit": "0"}, "invalid_request"),
        ({"speaker": "a b"}, "speaker_id_invalid"),
    ],
)
async def test_what_can_not_be_asked_is_said(door: aiohttp.ClientSession, query: dict[str, str], code: str) -> None:
    for accept in ("application/json", "text/event-stream"):
        async with door.get("/v1/events", params=query, headers={"Accept": accept}) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, code)


async def test_a_watcher_gets_what_comes_and_resumes_without_a_gap(
    door: aiohttp.ClientSession, store: StatusStore
) -> None:
    stream = {"Accept": "text/event-stream"}
    async with door.get("/v1/events?types=enrollment.completed", headers=stream) as answer:
        assert answer.content_type == "text/event-stream"
        watcher = Watcher(answer)
        await enroll(store, "anna")
        first = await watcher.next()
        assert (first["event"], first["data"]["speakerId"]) == ("enrollment.completed", "anna")
        assert first["id"] == first["data"]["id"]
    await enroll(store, "ben")
    await enroll(store, "carl")
    resumed = stream | {"Last-Event-ID": first["id"]}
    async with door.get("/v1/events?types=enrollment.completed&full=true", headers=resumed) as answer:
        watcher = Watcher(answer)
        assert [(await watcher.next())["data"]["speakerId"] for _ in range(2)] == ["ben", "carl"]
        await enroll(store, "dora")
        last = await watcher.next()
        assert last["data"]["speaker"]["enrollmentComplete"] is True
        jsonschema.validate(last["data"], schema("enrollment.completed"))


async def test_who_asks_for_what_is_forgotten_is_told(
    door: aiohttp.ClientSession, store: StatusStore, redis: ArqRedis, settings: Settings
) -> None:
    await enroll(store, "anna")
    first = (await listed(door, limit="500"))["events"][-1]["id"]
    await enroll(store, "ben")
    await redis.xtrim(keys.events(settings.account), maxlen=1, approximate=False)
    async with door.get("/v1/events", headers={"Accept": "text/event-stream", "Last-Event-ID": first}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (410, "events_forgotten")


async def test_watchers_don_t_hold_up_the_end(settings: Settings) -> None:
    async with asyncio.timeout(10), aiohttp.ClientSession() as http:
        async with front_door(settings) as door:
            url = str(door._base_url)  # noqa: SLF001 -- aiohttp keeps it to itself
            answer = await http.get(f"{url.rstrip('/')}/v1/events", headers={"Accept": "text/event-stream"})
        await answer.read()


async def test_refused_callbacks_are_told_of_but_not_each(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    log = EventLog(redis, account=settings.account, kept=10)
    for _ in range(5):
        async with door.post(f"/v1/callbacks/{token(settings, key='x' * 48)}", json={}) as answer:
            assert answer.status == 403
    async with asyncio.timeout(10):
        while not (found := await log.after("0-0", limit=10)):
            await log.newest("0-0", at_most_s=1.0)
    assert len(found) == 1
    ((_, event),) = found
    assert event
    assert event.data["verdict"] == "callback_forged"
    assert event.speaker_id is None
    jsonschema.validate(event.to_wire(), schema("callback.refused"))


async def test_the_catalogue_names_every_type_with_a_schema(door: aiohttp.ClientSession) -> None:
    async with door.get("/v1/event-types") as answer:
        told = (await answer.json())["types"]
    assert [one["type"] for one in told] == list(CATALOGUE)
    for one in told:
        jsonschema.Draft202012Validator.check_schema(one["schema"])


async def test_an_endpoint_s_secret_is_shown_once_and_replaced_with_an_overlap(door: aiohttp.ClientSession) -> None:
    async with door.post(
        "/v1/endpoints", json={"url": "https://example.org/hook", "types": ["enrollment.*"]}
    ) as answer:
        made = await answer.json()
        assert answer.status == 201
    assert made["secret"].startswith("whsec_")
    path = f"/v1/endpoints/{made['endpointId']}"
    async with door.get(path) as answer:
        shown = await answer.json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    async with door.post(f"{path}/rotate", json={"overlapS": 60}) as answer:
        rotated = await answer.json()
    assert rotated["secrets"] == 2
    assert rotated["secret"] != made["secret"]
    async with door.post(f"{path}/rotate", json={"overlapS": 0}) as answer:
        assert (await answer.json())["secrets"] == 1
    async with door.post(f"{path}/disable") as answer:
        assert (await answer.json())["disabled"] == "disabled by hand"
    async with door.post(f"{path}/enable") as answer:
        assert (await answer.json())["disabled"] is None
    async with door.delete(path) as answer:
        assert answer.status == 204
    async with door.get(path) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (404, "endpoint_unknown")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "ftp://example.org"}, "invalid_request"),
        ({"url": "https://me:secret@example.org"}, "invalid_request"),
        ({"url": "http://127.0.0.1:9/hook"}, "forbidden_address"),
        ({"url": "https://[fe80::1]/hook"}, "forbidden_address"),
        ({"url": "http://localhost/hook"}, "forbidden_address"),
        ({"url": "https://example.org", "types": ["nothing.*"]}, "event_type_unknown"),
        ({"url": "https://example.org", "colour": "red"}, "invalid_request"),
    ],
)
async def test_an_endpoint_that_will_not_do_is_refused(
    door: aiohttp.ClientSession, body: dict[str, Any], code: str
) -> None:
    async with door.post("/v1/endpoints", json=body) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, code)


async def test_an_endpoint_that_can_not_be_read_is_shown_and_can_be_removed(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    async with door.post("/v1/endpoints", json={"url": "https://example.org/hook"}) as answer:
        good = (await answer.json())["endpointId"]
    await redis.hset(keys.endpoints(settings.account), "ep_bad", "{")  # type: ignore[misc]  # typed for both clients
    async with door.get("/v1/endpoints") as answer:
        shown = {one["endpointId"]: one["disabled"] for one in (await answer.json())["endpoints"]}
    assert shown == {good: None, "ep_bad": "the document of endpoint ep_bad is damaged"}
    async with door.get("/readyz") as answer:
        assert (await answer.json())["checks"]["documents"] == "the document of endpoint ep_bad is damaged"
    for what in ("enable", "disable", "rotate"):
        async with door.post(f"/v1/endpoints/ep_bad/{what}") as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (500, "endpoint_unreadable")
    async with door.delete("/v1/endpoints/ep_bad") as answer:
        assert answer.status == 204
    async with door.get("/readyz") as answer:
        assert (await answer.json())["checks"]["documents"] == "ok"


async def test_so_many_secrets_sign_at_most(door: aiohttp.ClientSession) -> None:
    async with door.post("/v1/endpoints", json={"url": "https://example.org/hook"}) as answer:
        path = f"/v1/endpoints/{(await answer.json())['endpointId']}"
    codes: list[str | None] = []
    for _ in range(5):
        async with door.post(f"{path}/rotate") as answer:
            codes.append((await answer.json(content_type=None)).get("code"))
    assert codes == [None] * 4 + ["too_many_secrets"]
    async with door.post(f"{path}/rotate", json={"overlapS": 0}) as answer:
        assert (await answer.json())["secrets"] == 1


async def test_a_watcher_is_told_where_it_begins(door: aiohttp.ClientSession, store: StatusStore) -> None:
    await enroll(store, "anna")
    async with door.get("/v1/events", headers={"Accept": "text/event-stream"}) as answer:
        first = [(await answer.content.readline()).decode() for _ in range(2)]
        newest = (await listed(door))["events"][0]["id"]
    assert first == [": voxroll\n", f"id: {newest}\n"]
