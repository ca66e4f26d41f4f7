"""Keys with scopes, and POSTs that may be sent twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import STATUS, front_door, token
from tests.support.up import voxroll
from webhook.access import scope_of
from webhook.app import create_app
from worker.store import keys
from worker.store.apikeys import ApiKeys, Scope, hashed, made

NOW = datetime.now(UTC)
ROUTES = [("GET", "/v1/speakers"), ("POST", "/v1/enrollments"), ("DELETE", "/v1/speakers/anna")]


@pytest.fixture
async def door(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A front door that asks for keys."""
    webhook = settings.webhook.model_copy(update={"keys": "required"})
    async with front_door(settings.model_copy(update={"webhook": webhook})) as http:
        yield http


@pytest.fixture
def store(redis: ArqRedis, settings: Settings) -> ApiKeys:
    return ApiKeys(redis, account=settings.account)


async def key(store: ApiKeys, *scopes: Scope, expires_at: datetime | None = None) -> dict[str, str]:
    one, shown = made("test", scopes, now=NOW, expires_at=expires_at)
    await store.put(one)
    return {"Authorization": f"Bearer {shown}"}


async def refusal(answer: aiohttp.ClientResponse) -> tuple[int, str]:
    return answer.status, (await answer.json(content_type=None)).get("code", "")


async def test_without_a_key_nothing_is_open_but_webhook_url_and_health(
    door: aiohttp.ClientSession, settings: Settings
) -> None:
    for method, path in [*ROUTES, ("GET", "/v1/events"), ("POST", "/v1/endpoints"), ("GET", "/v1/callbacks")]:
        async with door.request(method, path) as answer:
            assert await refusal(answer) == (401, "key_missing"), path
    async with door.post(f"/v1/callbacks/{token(settings)}", json=STATUS) as answer:
        assert answer.status == 200
    async with door.get("/healthz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_key_opens_what_its_scope_says(door: aiohttp.ClientSession, store: ApiKeys, scope: Scope) -> None:
    shown = await key(store, scope)
    for method, path in ROUTES:
        async with door.request(method, path, headers=shown, json={}) as answer:
            status, code = await refusal(answer)
        if scope_of(method, path) is scope:
            assert status in {200, 202, 422}, (method, path, code)
        else:
            assert (status, code) == (403, "scope_missing")


async def test_wrong_ended_and_revoked_keys_open_nothing(door: aiohttp.ClientSession, store: ApiKeys) -> None:
    good = await key(store, Scope.READ)
    ended = await key(store, Scope.READ, expires_at=NOW)
    forged = {"Authorization": good["Authorization"][:-2] + "xx"}
    for shown, code in (
        (forged, "key_invalid"),
        (ended, "key_expired"),
        ({"Authorization": "Basic eA=="}, "key_missing"),
    ):
        async with door.get("/v1/speakers", headers=shown) as answer:
            assert await refusal(answer) == (401, code)
    async with door.get("/v1/speakers", headers=good) as answer:
        assert answer.status == 200
    await store.revoke(good["Authorization"].split("_")[1], now=NOW)
    async with door.get("/v1/speakers", headers=good) as answer:
        assert await refusal(answer) == (401, "key_revoked")


async def test_on_loopback_no_key_is_needed_but_a_wrong_one_is_told(settings: Settings) -> None:
    async with front_door(settings) as door:
        async with door.get("/v1/speakers") as answer:
            assert answer.status == 200
        async with door.get("/v1/speakers", headers={"Authorization": "Bearer vxk_00000000_x"}) as answer:
            assert await refusal(answer) == (401, "key_invalid")


async def test_a_door_that_others_can_reach_asks_for_keys(settings: Settings) -> None:
    webhook = settings.webhook.model_copy(update={"host": "0.0.0.0"})  # noqa: S104 -- nothing listens there
    async with front_door(replace_webhook(settings, webhook)) as door, door.get("/v1/speakers") as answer:
        assert await refusal(answer) == (401, "key_missing")


def replace_webhook(settings: Settings, webhook: Any) -> Settings:
    return settings.model_copy(update={"webhook": webhook})


async def test_only_hashes_are_kept(store: ApiKeys, redis: ArqRedis, settings: Settings) -> None:
    shown = (await key(store, Scope.READ))["Authorization"].removeprefix("Bearer ")
    (kept,) = (await redis.hgetall(keys.api_keys(settings.account))).values()  # type: ignore[misc]  # typed for both clients
    assert shown.rsplit("_", 1)[1] not in kept.decode()
    assert hashed(shown) in kept.decode()
    (one,) = await store.all()
    assert one == replace(one, sha256=hashed(shown), scopes=(Scope.READ,))


async def test_every_route_has_a_scope_by_rule(settings: Settings) -> None:
    found = {
        (route.method, route.resource.canonical): scope_of(route.method, route.resource.canonical)
        for route in create_app(settings).router.routes()
        if route.resource
    }
    assert found["GET", "/v1/events/{event_id}"] is Scope.READ
    assert found["GET", "/v1/callbacks/{callback_id}"] is Scope.MANAGE  # raw bodies
    assert found["POST", "/v1/speakers/{speaker_id}/recordings/{recording_id}/accept"] is Scope.MANAGE
    assert found["POST", "/v1/events"] is Scope.MANAGE
    assert found["GET", "/v1/endpoints"] is Scope.MANAGE


async def test_a_repeated_post_is_answered_as_the_first(settings: Settings, redis: ArqRedis) -> None:
    async with front_door(settings) as door:
        same = {"Idempotency-Key": "once"}
        body = {"url": "https://example.org/hook"}
        async with door.post("/v1/endpoints", json=body, headers=same) as answer:
            first, location = await answer.json(), answer.headers["Location"]
            assert "Idempotent-Replay" not in answer.headers
        async with door.post("/v1/endpoints", json=body, headers=same) as answer:
            assert (answer.status, await answer.json(), answer.headers["Location"]) == (201, first, location)
            assert answer.headers["Idempotent-Replay"] == "true"
        async with door.get("/v1/endpoints") as answer:
            assert len((await answer.json())["endpoints"]) == 1
        async with door.post("/v1/endpoints", json={"url": "https://example.org/other"}, headers=same) as answer:
            assert await refusal(answer) == (422, "idempotency_key_reused")
        async with door.post("/v1/events", json={"type": "speaker.erased"}, headers=same) as answer:
            assert await refusal(answer) == (422, "idempotency_key_reused")
        (place,) = await redis.keys(keys.repeated(settings.account, "*"))
        assert 86_000 < await redis.ttl(place) <= 86_400


async def test_of_posts_at_once_one_is_done(settings: Settings) -> None:
    async def post(door: aiohttp.ClientSession) -> tuple[int, str]:
        async with door.post(
            "/v1/endpoints", json={"url": "https://example.org/hook"}, headers={"Idempotency-Key": "once"}
        ) as answer:
            return await refusal(answer)

    async with front_door(settings) as door:
        answers = await asyncio.gather(*(post(door) for _ in range(8)))
        assert set(answers) <= {(201, ""), (409, "idempotency_in_progress")}
        async with door.get("/v1/endpoints") as answer:
            assert len((await answer.json())["endpoints"]) == 1


async def test_a_refusal_is_kept_and_a_bad_key_is_refused(settings: Settings) -> None:
    async with front_door(settings) as door:
        for _ in range(2):
            async with door.post("/v1/endpoints", json={"url": "x"}, headers={"Idempotency-Key": "bad"}) as answer:
                assert await refusal(answer) == (422, "invalid_request")
        async with door.post("/v1/endpoints", json={}, headers={"Idempotency-Key": "x" * 256}) as answer:
            assert await refusal(answer) == (422, "invalid_request")


async def test_keys_are_made_listed_and_revoked_from_the_command_line(settings: Settings) -> None:
    def run(*arguments: str) -> Any:
        url = settings.redis.url.get_secret_value()
        ended = voxroll(
            "keys", *arguments, "--json", data_dir=settings.data_dir, VOXROLL_REDIS_URL=url,
            VOXROLL_ACCOUNT=settings.account,
        )  # fmt: skip
        return json.loads(ended.stdout)

    created = await asyncio.to_thread(run, "create", "night run", "--scopes", "read", "--expires", "1d")
    assert created["key"].startswith(f"vxk_{created['keyId']}_")
    assert datetime.fromisoformat(created["expiresAt"]) - datetime.now(UTC) < timedelta(days=1)
    (listed,) = (await asyncio.to_thread(run, "list"))["keys"]
    assert listed == {name: value for name, value in created.items() if name != "key"}
    assert (await asyncio.to_thread(run, "revoke", created["keyId"]))["revokedAt"]
    assert (await asyncio.to_thread(run, "revoke", "00000000"))["error"]["code"] == "key_unknown"
    assert (await asyncio.to_thread(run, "create", "x", "--scopes", "all"))["error"]["code"] == "scope_unknown"
