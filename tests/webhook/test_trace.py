"""One event on a page, and the roster: what the front door reads together of record, journal and lanes."""

from typing import Any

import aiohttp
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.lives import START, enrolled
from worker.enrollment.facts import EnrollmentSeen, SpeakerErased
from worker.enrollment.record import SpeakerId
from worker.store.endpoints import Endpoints
from worker.store.events import place_of
from worker.store.faring import Fared
from worker.store.status import StatusStore


async def told(door: aiohttp.ClientSession, path: str, **query: str) -> dict[str, Any]:
    async with door.get(path, params=query) as answer:
        found: dict[str, Any] = await answer.json(content_type=None)
        return found


async def add(door: aiohttp.ClientSession, *types: str) -> str:
    async with door.post("/v1/endpoints", json={"url": "https://example.org/hook", "types": types}) as answer:
        return str((await answer.json())["endpointId"])


async def trigger(door: aiohttp.ClientSession, kind: str) -> str:
    async with door.post("/v1/events", json={"type": kind, "speakerId": "anna"}) as answer:
        return str((await answer.json())["id"])


async def test_where_an_event_stands_with_each_endpoint(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    before = await trigger(door, "enrollment.started")
    crm, other = await add(door), await add(door, "speaker.*")
    first, second = await trigger(door, "enrollment.improved"), await trigger(door, "enrollment.completed")

    async def state(event_id: str, endpoint_id: str = crm) -> dict[str, Any]:
        found = (await told(door, f"/v1/events/{event_id}/trace"))["endpoints"]
        return next(one for one in found if one["endpointId"] == endpoint_id)

    assert (await state(before))["state"] == "older_than_endpoint"
    assert (await state(first, other))["state"] == "not_asked_for"
    assert (await state(first))["state"] == "in_the_stream"
    endpoints = Endpoints(redis, account=settings.account)
    seen, _ = await endpoints.stand(crm)
    chosen = [("anna", place_of(event_id)) for event_id in (first, second)]
    assert await endpoints.take(crm, seen=seen, until=place_of(second), chosen=chosen, now_ms=1)
    refused = Fared(done=(), failed=place_of(first), failure="500", again_ms=1_763_712_000_000)
    await endpoints.settle(crm, "anna", refused, now_ms=2)
    found = await state(first)
    assert (found["state"], found["before"], found["tries"]) == ("waiting", 0, 1)
    assert found["nextTryAt"] == "2025-11-21T08:00:00+00:00"
    found = await state(second)
    assert (found["state"], found["before"], found["tries"], found["nextTryAt"]) == ("waiting", 1, 0, None)
    await endpoints.settle(crm, "anna", Fared(done=(), failed=place_of(first), failure="500"), now_ms=3)
    assert (await state(first))["state"] == "given_up"
    await endpoints.settle(crm, "anna", Fared(done=(place_of(second),)), now_ms=4)
    assert (await state(second))["state"] == "delivered"


async def test_what_was_told_together_is_named_and_a_stranger_is_refused(
    door: aiohttp.ClientSession, store: StatusStore
) -> None:
    await store.apply(SpeakerId("anna"), EnrollmentSeen(at=START, enrollment=enrolled(1)))
    events = (await told(door, "/v1/events", speaker="anna"))["events"]
    found = await told(door, f"/v1/events/{events[0]['id']}/trace")
    assert found["event"] == events[0]
    assert {one["id"] for one in found["toldWith"]} == {one["id"] for one in events[1:]}
    assert (found["sample"], found["callbacks"]) == (None, [])
    assert (found["speaker"]["state"], found["speaker"]["enrollmentComplete"]) == ("complete", True)
    assert (await told(door, "/v1/events/evt_1-1/trace"))["code"] == "event_unknown"
    assert (await told(door, "/v1/events/yesterday/trace"))["code"] == "invalid_request"


async def test_the_roster_names_whom_identify_takes(door: aiohttp.ClientSession, store: StatusStore) -> None:
    for number in range(5):
        await store.apply(SpeakerId(f"s{number}"), EnrollmentSeen(at=START, enrollment=enrolled(1)))
    await store.apply(SpeakerId("s3"), SpeakerErased(at=START))
    ids, cursor = list[str](), ""
    while True:
        page = await told(door, "/v1/roster", limit="2", **({"cursor": cursor} if cursor else {}))
        assert len(page["speakerIds"]) <= 2
        ids += page["speakerIds"]
        if not page["next"]:
            break
        cursor = page["next"]
    assert sorted(ids) == ["s0", "s1", "s2", "s4"]
    grade = (await told(door, "/v1/speakers/s0"))["enrollmentQuality"]
    assert len((await told(door, "/v1/roster", minQuality=grade))["speakerIds"]) == 4
    assert (await told(door, "/v1/roster", minQuality="Best"))["code"] == "invalid_request"
    assert (await told(door, "/v1/roster", batch="nobody's"))["code"] == "invalid_request"
    assert (await told(door, "/v1/roster", batch="nobody"))["speakerIds"] == []
