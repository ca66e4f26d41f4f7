"""`Idempotency-Key` on uploads: the same parts under another boundary are the same request, other parts are another."""

import hashlib
import io
import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import front_door
from tests.support.waiting import until
from worker.store import keys

LARGE = secrets.token_bytes(3_000_000)  # several reads of a stream
PARTS = {"speakerId": "anna", "batch": "monday", "recording": LARGE}


async def upload(
    door: aiohttp.ClientSession, path: str, parts: dict[str, Any], *, name: str = "a.wav"
) -> tuple[int, bool, dict[str, Any]]:
    """Status, whether it is the first answer once more, and the answer; each under a boundary of its own."""
    form = aiohttp.FormData(default_to_multipart=True)
    for part, content in parts.items():
        if isinstance(content, bytes):
            form.add_field(part, io.BytesIO(content), filename=name)
        else:
            form.add_field(part, content)
    async with door.post(path, data=form, headers={"Idempotency-Key": "once"}) as answer:
        return answer.status, "Idempotent-Replay" in answer.headers, await answer.json(content_type=None)


async def test_an_upload_sent_again_is_answered_as_the_first(door: aiohttp.ClientSession) -> None:
    status, again, first = await upload(door, "/v1/enrollments", PARTS)
    assert (status, again) == (202, False)
    assert await upload(door, "/v1/enrollments", PARTS) == (202, True, first)


@pytest.mark.parametrize(
    "other",
    [
        PARTS | {"recording": LARGE[:-1] + b"!"},
        PARTS | {"recording": LARGE[:10]},
        PARTS | {"speakerId": "ben"},
        {"speakerId": "anna", "recording": LARGE},
        {"batch": "monday", "speakerId": "anna", "recording": LARGE},
    ],
    ids=["one byte", "shorter", "speaker", "without batch", "order"],
)
async def test_another_upload_under_the_same_key_is_refused_and_does_nothing(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings, *, other: dict[str, Any]
) -> None:
    await upload(door, "/v1/enrollments", PARTS)
    status, _, problem = await upload(door, "/v1/enrollments", other)
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    status, _, problem = await upload(door, "/v1/enrollments", PARTS, name="b.wav")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    assert await redis.exists(keys.speaker(settings.account, "ben")) == 0  # type: ignore[arg-type]  # an id is text
    stored = [path.stem for path in (settings.data_dir / "objects").rglob("*") if path.is_file()]
    assert stored == [hashlib.sha256(LARGE).hexdigest()]


async def test_json_after_an_upload_and_a_body_that_is_broken_are_refused(door: aiohttp.ClientSession) -> None:
    await upload(door, "/v1/enrollments", PARTS)
    once = {"Idempotency-Key": "once"}
    async with door.post("/v1/enrollments", json={"speakerId": "anna"}, headers=once) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, "idempotency_key_reused")
    broken = once | {"Content-Type": "multipart/form-data; boundary=x"}
    async with door.post("/v1/enrollments", data=b"--x\r\n\r\nnothing", headers=broken) as answer:
        assert answer.status == 422


async def test_a_manifest_under_a_key_that_was_used_is_refused(door: aiohttp.ClientSession) -> None:
    manifest = {"manifest": b"id,file\nanna,/a.wav\n", "onExisting": "skip"}
    status, _, first = await upload(door, "/v1/batches", manifest, name="m.csv")
    assert status == 202
    assert await upload(door, "/v1/batches", manifest, name="m.csv") == (202, True, first)
    for other in ({"manifest": b"id,file\nben,/a.wav\n"}, {"onExisting": "fail"}):
        status, _, problem = await upload(door, "/v1/batches", manifest | other, name="m.csv")
        assert (status, problem["code"]) == (422, "idempotency_key_reused")


@pytest.fixture
async def eager(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A door that holds keys anew all the time."""
    async with front_door(settings, renew_s=0.05) as http:
        yield http


async def test_an_upload_that_takes_long_holds_its_key(
    eager: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    async def place() -> str:
        found = await redis.keys(keys.repeated(settings.account, "*"))
        return found[0].decode() if found else ""

    async def is_renewed() -> bool:
        return bool(await redis.ttl(await place()) > 1)

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="speakerId"\r\n\r\nanna\r\n'
        await until(is_renewed)  # the request has begun
        await redis.expire(await place(), 1)
        await until(is_renewed)
        async with eager.post("/v1/enrollments", json={}, headers={"Idempotency-Key": "once"}) as answer:
            codes.append((await answer.json(content_type=None))["code"])
        yield b'--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\nRIFF\r\n--x--\r\n'

    codes: list[str] = []
    headers = {"Idempotency-Key": "once", "Content-Type": "multipart/form-data; boundary=x"}
    async with eager.post("/v1/enrollments", data=slowly(), headers=headers) as answer:
        assert (answer.status, codes) == (202, ["idempotency_in_progress"])
