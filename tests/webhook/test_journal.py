"""The journal over HTTP: what came is listed, shown as it was, and reconciled once more on request."""

import asyncio
import base64
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import BODY, STATUS, token
from tests.support.workshop import prepared, workshop
from worker.contract.token import Claims, mint
from worker.enrollment.facts import SubmissionStarted
from worker.enrollment.record import AttemptId, RecordingId, SpeakerId, Verb
from worker.queue.jobs import loads, queue_name
from worker.reconcile import reconcile
from worker.store import keys
from worker.workshop import Workshop

WHO, WHAT, ATTEMPT = SpeakerId("s1"), RecordingId("r1"), AttemptId("a1")
_PATIENCE_S = 20


async def read(door: aiohttp.ClientSession, path: str, *, status: int = 200) -> dict[str, Any]:
    async with door.get(path) as answer:
        document: dict[str, Any] = await answer.json(content_type=None)
        assert answer.status == status, document
        return document


async def send(door: aiohttp.ClientSession, token: str, body: bytes = BODY, **headers: str) -> int:
    async with door.post(f"/v1/callbacks/{token}", data=body, headers=headers) as answer:
        return answer.status


async def refused(redis: ArqRedis, settings: Settings, number: int) -> None:
    """Return once so many refused callbacks are written down."""
    key, last, found = keys.refused(settings.account), b"0", 0
    async with asyncio.timeout(_PATIENCE_S):
        while found < number:
            for _, entries in await redis.xread({key: last}, block=1000):
                found, last = found + len(entries), entries[-1][0]


async def test_what_came_is_shown_byte_by_byte_without_its_secrets(
    door: aiohttp.ClientSession, settings: Settings
) -> None:
    body = b'\n {"speakerId":"s1" , "enrollmentComplete":true,"totalSpeechDuration":1e1, "x":"\xc3\xa4"}\t'
    kept = {"User-Agent": "api/1", "RCRequestId": "r-1", "Content-Type": "application/json", "Webhook-Id": "m"}
    secret = {"Authorization": "Bearer x", "Webhook-Signature": "v1,x", "Verification-Token": "x", "Cookie": "x"}
    assert await send(door, token(settings), body, **kept, **secret) == 200
    (head,) = (await read(door, "/v1/callbacks"))["callbacks"]
    shown = await read(door, f"/v1/callbacks/{head['callbackId']}")
    assert base64.b64decode(shown["bodyBase64"]) == body
    assert shown["body"] == body.decode()
    assert shown["headers"] == {name.lower(): value for name, value in kept.items()}
    assert head == {name: value for name, value in shown.items() if name not in {"headers", "body", "bodyBase64"}}
    assert (head["verdict"], head["speakerId"], head["recordingId"], head["attemptId"]) == (
        "accepted",
        "s1",
        "r1",
        "a1",
    )
    assert head["bodyBytes"] == len(body)


async def test_refused_ones_are_kept_apart_with_their_verdict(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    bad = {
        token(settings, key="x" * 48): "callback_forged",
        token(settings, account="other"): "callback_foreign",
        token(settings, ttl_s=-1): "callback_expired",
    }
    for one in bad:
        assert await send(door, one) == 403
    assert await send(door, token(settings), b"no json") == 400
    assert await send(door, token(settings), b"x" * 100_000) == 413
    assert await send(door, token(settings)) == 200
    await refused(redis, settings, 5)
    listed = (await read(door, "/v1/callbacks?refused=true"))["callbacks"]
    assert [one["verdict"] for one in listed] == ["body_too_large", "callback_not_json", *reversed(bad.values())]
    assert [one["speakerId"] for one in listed] == ["s1", "s1", "", "", ""]
    assert listed[0]["bodyBytes"] == 100_000
    (forged,) = (await read(door, "/v1/callbacks?verdict=callback_forged"))["callbacks"]
    shown = await read(door, f"/v1/callbacks/{forged['callbackId']}")
    assert base64.b64decode(shown["bodyBase64"]) == BODY
    everything = str(await redis.xrange(keys.refused(settings.account)))
    assert not any(part in everything for one in (*bad, token(settings)) for part in one.split(".")[2:])
    assert len((await read(door, "/v1/callbacks"))["callbacks"]) == 1


async def test_pages_and_filters(door: aiohttp.ClientSession, settings: Settings) -> None:
    for number in range(6):
        assert await send(door, token(settings, speaker_id=f"s{number % 2}")) == 200
    first = await read(door, "/v1/callbacks?limit=4")
    second = await read(door, f"/v1/callbacks?limit=4&before={first['next']}")
    assert [len(first["callbacks"]), len(second["callbacks"]), second["next"]] == [4, 2, None]
    ids = [one["callbackId"] for page in (first, second) for one in page["callbacks"]]
    assert len(set(ids)) == 6
    of_one = await read(door, "/v1/callbacks?speaker=s1&verdict=accepted")
    assert [one["speakerId"] for one in of_one["callbacks"]] == ["s1"] * 3
    assert (await read(door, "/v1/callbacks?speaker=nobody"))["callbacks"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=501", "refused=perhaps", "colour=red"])
async def test_a_bad_query_is_told(door: aiohttp.ClientSession, query: str) -> None:
    assert (await read(door, f"/v1/callbacks?{query}", status=422))["code"] == "invalid_request"


@pytest.mark.parametrize("callback_id", ["1-1", "r1-1", "nonsense", "%2B"])
async def test_an_unknown_callback_is_told(door: aiohttp.ClientSession, callback_id: str) -> None:
    assert (await read(door, f"/v1/callbacks/{callback_id}", status=404))["code"] == "callback_unknown"
    async with door.post(f"/v1/callbacks/{callback_id}/replay") as answer:
        assert answer.status == 404


async def test_a_refused_callback_is_not_replayed(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    assert await send(door, token(settings, key="x" * 48)) == 403
    await refused(redis, settings, 1)
    (one,) = (await read(door, "/v1/callbacks?refused=true"))["callbacks"]
    async with door.post(f"/v1/callbacks/{one['callbackId']}/replay") as answer:
        problem = await answer.json(content_type=None)
        assert (answer.status, problem["code"]) == (409, "callback_refused")
    assert await redis.exists(queue_name(settings.account)) == 0


async def submitted(shop: Workshop) -> str:
    """A sample is handed in and waits for its callback; returns the token of the attempt."""
    await prepared(shop, WHO, WHAT)
    started = SubmissionStarted(at=shop.now(), recording_id=WHAT, attempt_id=ATTEMPT, verb=Verb.POST, before_s=0.0)
    await shop.tell(WHO, started)
    claims = Claims(
        account=shop.settings.account,
        speaker_id=WHO,
        recording_id=WHAT,
        attempt_id=ATTEMPT,
        expires_at=shop.now() + shop.settings.webhook.token_ttl,
    )
    return mint(claims, key=shop.settings.webhook.token_key)


async def reconciled(shop: Workshop, redis: ArqRedis) -> list[str]:
    """Run all reconcile jobs that are queued, as a worker would; their outcomes."""
    outcomes = []
    for job_id in await redis.zrange(queue_name(shop.settings.account), 0, -1):
        if b":reconcile:" in job_id:
            payload = await redis.getdel(b"arq:job:" + job_id)
            await redis.zrem(queue_name(shop.settings.account), job_id)
            outcomes.append(await reconcile(shop, *loads(payload)["a"]))
    return outcomes


async def replay(door: aiohttp.ClientSession) -> None:
    (one,) = (await read(door, "/v1/callbacks"))["callbacks"]
    for _ in range(2):  # asked for twice, queued once
        async with door.post(f"/v1/callbacks/{one['callbackId']}/replay") as answer:
            assert answer.status == 202


async def test_a_replay_changes_nothing_that_is_already_true(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    async with workshop(settings) as shop:
        assert await send(door, await submitted(shop)) == 200
        assert await reconciled(shop, redis) == ["applied"]
        once = await shop.store.get(WHO)
        await replay(door)
        assert await reconciled(shop, redis) == ["applied"]
        assert await shop.store.get(WHO) == once


async def test_a_replay_applies_what_was_lost_with_the_queue(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    async with workshop(settings) as shop:
        assert await send(door, await submitted(shop)) == 200
        await redis.delete(queue_name(settings.account), *await redis.keys("arq:job:*"))
        await replay(door)
        assert await reconciled(shop, redis) == ["applied"]
        enrollment = (await shop.store.get(WHO)).record.enrollment
        assert enrollment is not None
        assert enrollment.speech_s == STATUS["totalSpeechDuration"]
