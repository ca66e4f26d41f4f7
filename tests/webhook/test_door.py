"""The front door: what it takes, what it refuses and how, and that it answers after the write."""

import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Redis, Settings
from tests.support.door import STATUS, front_door, token
from tests.support.valkey import ValkeyProcess
from worker.queue.jobs import queue_name
from worker.store import keys


@pytest.fixture(params=[True, False], ids=["short way", "application"])
async def door(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[aiohttp.ClientSession]:
    async with front_door(settings, short_way=request.param) as http:
        yield http


async def test_a_callback_is_written_down_with_its_job_before_the_answer(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings
) -> None:
    body = json.dumps(STATUS, indent=3).encode()
    async with door.post(f"/v1/callbacks/{token(settings)}", data=body) as answer:
        assert answer.status == 200
    ((callback_id, entry),) = await redis.xrange(keys.callbacks(settings.account))
    assert entry[b"body"] == body
    assert not any(token(settings).encode() in value for value in entry.values())
    (job_id,) = await redis.zrange(queue_name(settings.account), 0, -1)
    assert job_id.decode().endswith(callback_id.decode())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"key": "x" * 48}, "callback_forged"),
        ({"account": "somebody"}, "callback_foreign"),
        ({"ttl_s": -1}, "callback_expired"),
    ],
)
async def test_a_bad_token_changes_nothing_and_is_seen(
    door: aiohttp.ClientSession, redis: ArqRedis, settings: Settings, *, wrong: dict[str, str], code: str
) -> None:
    async with door.post(f"/v1/callbacks/{token(settings, **wrong)}", json=STATUS) as answer:  # type: ignore[arg-type]
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"]) == (403, code)
    assert await redis.exists(keys.callbacks(settings.account), queue_name(settings.account)) == 0
    async with door.get("/metrics") as answer:
        assert f'voxroll_callbacks_total{{verdict="{code}"}} 1.0' in await answer.text()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not json", 400, "callback_not_json"),
        (b"", 400, "callback_not_json"),
        (b"[1, 2]", 400, "callback_unreadable"),
        (b'{"status": "Success", "response": {"speakerId": 7}}', 400, "callback_unreadable"),
        (b"x" * 10_000_000, 413, "body_too_large"),
    ],
    ids=["words", "empty", "a list", "wrong types", "10 MB"],
)
async def test_an_unusable_body_gets_a_clear_answer(
    door: aiohttp.ClientSession, settings: Settings, *, body: bytes, status: int, code: str
) -> None:
    async with door.post(f"/v1/callbacks/{token(settings)}", data=io.BytesIO(body)) as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"]) == (status, code)


async def test_a_body_that_lies_about_its_length_is_cut(door: aiohttp.ClientSession, settings: Settings) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 65_536

    async with door.post(f"/v1/callbacks/{token(settings)}", data=endless()) as answer:
        assert answer.status == 413


async def test_redis_away_is_503_and_then_recovers(settings: Settings, tmp_path: Path) -> None:
    server = ValkeyProcess(tmp_path / "own")
    server.start()
    own = settings.model_copy(update={"redis": Redis(url=SecretStr(server.url), timeout=timedelta(seconds=1))})
    try:
        async with front_door(own) as door:
            path = f"/v1/callbacks/{token(settings)}"
            async with door.post(path, json=STATUS) as answer:
                assert answer.status == 200
            server.kill()
            async with door.post(path, json=STATUS) as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert (answer.status, problem["code"]) == (503, "redis_unavailable")
                assert answer.headers["Retry-After"] == "1"
            async with door.get("/readyz") as answer:
                assert answer.status == 503
            server.start()
            async with door.post(path, json=STATUS) as answer:
                assert answer.status == 200
    finally:
        server.close()


async def test_recordings_named_by_path_are_planned_once(
    door: aiohttp.ClientSession, tmp_path: Path, redis: ArqRedis, settings: Settings
) -> None:
    recording = tmp_path / "one two.wav"
    recording.write_bytes(b"RIFF")
    body = {"speakerId": "anna_1", "recordings": [{"source": str(recording)}], "goal": {"quality": "Good"}}
    for _ in range(2):
        async with door.post("/v1/enrollments", json=body) as answer:
            assert answer.status == 202
            document = await answer.json()
    assert [(one["source"], one["state"]) for one in document["samples"]] == [("one two.wav", "planned")]
    assert document["goal"] == {"quality": "Good", "samples": 5}
    assert await redis.zcard(queue_name(settings.account)) == 1
    async with door.get("/v1/speakers/anna_1") as answer:
        assert (await answer.json())["speakerId"] == "anna_1"
    async with door.get("/v1/speakers?state=planned") as answer:
        assert [one["speakerId"] for one in (await answer.json())["speakers"]] == ["anna_1"]


async def test_an_upload_is_stored_by_content(door: aiohttp.ClientSession, settings: Settings) -> None:
    form = aiohttp.FormData()
    form.add_field("speakerId", "s1")
    for name in ("a.wav", "same.wav", "../../etc/b.wav"):
        form.add_field("recording", io.BytesIO(b"x" * 3_000_000 + name.encode()[-5:]), filename=name)
    async with door.post("/v1/enrollments", data=form) as answer:
        assert answer.status == 202
        document = await answer.json()
    assert [one["source"] for one in document["samples"]] == ["a.wav", "same.wav", "b.wav"]
    uploads = list((settings.data_dir / "objects" / "uploads").rglob("*"))
    assert len([path for path in uploads if path.is_file()]) == 3


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"speakerId": "with-dash", "recordings": [{"source": "/x"}]}, 422, "speaker_id_invalid"),
        ({"speakerId": "s", "recordings": [{"source": "/no/such/file.wav"}]}, 404, "not_found"),
        ({"speakerId": "s", "recordings": [{"source": "relative.wav"}]}, 422, "unreadable_source"),
        ({"speakerId": "s", "recordings": [{"source": "ftp://host/x"}]}, 422, "unreadable_source"),
        ({"speakerId": "s", "recordings": []}, 422, "invalid_request"),
        ({"speakerId": "s", "recordings": [{"source": "/x"}], "extra": 1}, 422, "invalid_request"),
    ],
)
async def test_a_bad_request_names_what_is_wrong(
    door: aiohttp.ClientSession, *, body: dict[str, object], status: int, code: str
) -> None:
    async with door.post("/v1/enrollments", json=body) as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"]) == (status, code)
        assert problem["detail"]


async def test_paths_outside_the_allowed_folders_are_refused(settings: Settings, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    outside = tmp_path / "secret.wav"
    outside.write_bytes(b"x")
    (allowed / "link.wav").symlink_to(outside)
    closed = settings.model_copy(update={"intake": settings.intake.model_copy(update={"file_roots": (allowed,)})})
    async with front_door(closed) as door:
        for path in (outside, allowed / "link.wav", allowed / ".." / "secret.wav"):
            body = {"speakerId": "s", "recordings": [{"source": str(path)}]}
            async with door.post("/v1/enrollments", json=body) as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert problem["code"] == "forbidden_source"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/speakers/nobody", 404, "speaker_unknown"),
        ("GET", "/v1/speakers?limit=0", 422, "invalid_request"),
        ("GET", "/v1/speakers?state=odd", 422, "invalid_request"),
        ("GET", "/nowhere", 404, "no_such_route"),
        ("DELETE", "/v1/enrollments", 405, "method_not_allowed"),
    ],
)
async def test_every_error_is_a_problem_document(
    door: aiohttp.ClientSession, *, method: str, path: str, status: int, code: str
) -> None:
    async with door.request(method, path) as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"], problem["status"]) == (status, code, status)


@pytest.mark.parametrize("path", ["/v1/enrollments", "/v1/batches"])
async def test_a_multipart_body_with_a_broken_head_is_refused(door: aiohttp.ClientSession, path: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a\x00b"\r\nBro ken: 1\r\n\r\nx\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with door.post(path, data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, "invalid_request")
