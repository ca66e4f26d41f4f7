"""The front door's own description names every route, and schemathesis finds no answer that it doesn't describe."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import front_door
from tests.support.lives import START
from tests.support.schemathesis import tried
from tests.support.serving import serving
from webhook.app import create_app
from webhook.openapi import document
from webhook.operations import OPERATIONS
from worker.store import keys
from worker.store.apikeys import ApiKeys, Scope, made

_UNDESCRIBED = {("get", "/openapi.json"), ("get", "/docs"), ("get", "/metrics")}
_EXAMPLES = 15  # of each operation
# Schemas can't say what is no source, no URL or no type of event: such data may be refused.
_JUDGED_FURTHER = (
    "enroll",
    "listEvents",
    "triggerEvent",
    "addEndpoint",
    "replayEvents",
    "listSpeakers",
    "addBatch",
    "addShortlist",
)
_CONFIGURATION = """
[auth.openapi.key]
bearer = "{key}"

[[operations]]
include-operation-id = {judged}
checks.positive_data_acceptance.enabled = false
"""


def test_every_route_is_described(settings: Settings) -> None:
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in create_app(settings).router.routes()
        if route.resource and route.method != "HEAD"
    }
    assert {(one.verb, one.path) for one in OPERATIONS} == routes - _UNDESCRIBED
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)


async def test_the_document_is_served_and_the_page_names_every_route(settings: Settings) -> None:
    async with front_door(settings) as door:
        async with door.get("/openapi.json") as answer:
            found: dict[str, Any] = await answer.json()
        async with door.get("/docs") as answer:
            page = await answer.text()
            assert answer.content_type == "text/html"
    assert found == json.loads(json.dumps(document()))
    assert all(one.path in page for one in OPERATIONS)
    assert "`" not in page
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_schemathesis_finds_nothing(settings: Settings, redis: ArqRedis, tmp_path: Path) -> None:
    key, shown = made("test", tuple(Scope), now=START, expires_at=None)
    await ApiKeys(redis, account=settings.account).put(key)
    await redis.set(keys.health(settings.account), b"a worker lives", ex=600)
    webhook = settings.webhook.model_copy(update={"keys": "required"})
    app, headers = create_app(settings.model_copy(update={"webhook": webhook})), {"Authorization": f"Bearer {shown}"}
    async with serving(app) as url, aiohttp.ClientSession(url, headers=headers) as http:
        for speaker in ("anna", "ben"):
            async with http.post("/v1/events", json={"type": "enrollment.started", "speakerId": speaker}) as answer:
                assert answer.status == 202
        configuration = _CONFIGURATION.format(key=shown, judged=json.dumps(_JUDGED_FURTHER))
        said = await tried(
            _without_keys(document()), url, configuration=configuration, folder=tmp_path, examples=_EXAMPLES
        )
    assert not said, said


def _without_keys(told: dict[str, Any]) -> dict[str, Any]:
    """The document without Idempotency-Key: schemathesis sends one key with many requests, which is refused."""
    found: dict[str, Any] = json.loads(json.dumps(told))
    for verbs in found["paths"].values():
        for one in verbs.values():
            one["parameters"] = [given for given in one["parameters"] if given["in"] != "header"]
    return found
