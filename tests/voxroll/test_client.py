"""The client as a program uses it: through losses and refusals of a front door, with and without asyncio."""

import asyncio
import json
import os
import re
import socket
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.lives import START, enrolled
from tests.support.serving import bound, serving, url_of
from voxroll import Client, CommandError, Outcome, SyncClient
from webhook.app import create_app
from worker.enrollment.facts import EnrollmentSeen
from worker.enrollment.record import Quality, SpeakerId
from worker.enrollment.steps import Policy
from worker.store.status import StatusStore


class Unwell:
    """A front door whose answers are written in advance."""

    def __init__(self, *answers: web.Response) -> None:
        self.answers = list(answers)
        self.keys: list[str | None] = []
        self.preferences: list[str | None] = []
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        self.preferences.append(request.headers.get("Prefer"))
        await request.read()
        return self.answers.pop(0)


def answer(status: int, body: object = None, **headers: str) -> web.Response:
    text = json.dumps({"code": "busy", "status": status} if body is None else body)
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


ANNA = {"speakerId": "anna", "state": "complete", "settled": True}


async def test_what_may_pass_is_tried_again_under_one_key(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF")
    door = Unwell(answer(503), answer(429, **{"Retry-After": "0"}), web.Response(status=502), answer(202, ANNA))
    async with serving(door.app) as url, Client(url) as client:
        assert (await client.enroll("anna", [file])).speaker_id == "anna"
    assert len(set(door.keys)) == 1
    assert door.keys[0]


async def test_who_waits_for_the_preflight_says_for_how_long(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF")
    door = Unwell(*(answer(202, ANNA) for _ in range(4)))
    async with serving(door.app) as url, Client(url) as client:
        await client.enroll("anna", [file, "http://host/b.wav"], wait_s=9.5)
        await client.enroll("anna", [file, "http://host/b.wav"])
    assert door.preferences == ["wait=10", "wait=10", None, None]
    assert len(set(door.keys)) == 4
    assert all(door.keys)


async def test_patience_ends_and_a_refusal_is_not_repeated() -> None:
    door = Unwell(*(answer(503) for _ in range(20)))
    async with serving(door.app) as url, Client(url, patience_s=0.5) as client:
        with pytest.raises(CommandError, match="busy"):
            await client.speaker("anna")
        tried = len(door.keys)
        assert 2 <= tried < 20
        door.answers[:] = [answer(422, {"code": "speaker_id_invalid", "detail": "no"}), answer(200, ANNA)]
        with pytest.raises(CommandError, match="speaker_id_invalid"):
            await client.speaker("a b")
        assert len(door.keys) == tried + 1


async def test_a_front_door_that_was_there_is_waited_for_and_one_that_was_not_is_an_error_at_once() -> None:
    listening, door = bound(), Unwell(answer(200, ANNA), answer(200, ANNA))
    address = listening.getsockname()
    async with Client(url_of(listening)) as client:
        async with serving(door.app, on=listening):
            await client.speaker("anna")
        waiting = asyncio.ensure_future(client.speaker("anna"))
        await asyncio.wait({waiting}, timeout=0.3)
        assert not waiting.done()
        async with Client(client.url) as other:
            with pytest.raises(CommandError, match="front_door_unreachable"):
                await asyncio.wait_for(other.speaker("anna"), 5)
        again = socket.create_server(address)
        again.setblocking(False)
        async with serving(door.app, on=again):
            assert (await waiting).speaker_id == "anna"


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    async with serving(create_app(settings)) as url:
        yield url


async def settle(redis: ArqRedis, settings: Settings, *names: str) -> None:
    """Be the worker: the API tells of an enrollment that meets the goal."""
    store = StatusStore(redis, account=settings.account, policy=Policy(), events_kept=100)
    high = enrolled(5, quality=Quality.HIGH)
    for name in names:
        await store.apply(SpeakerId(name), EnrollmentSeen(at=START, enrollment=high))


async def test_many_are_handed_in_and_told_as_they_settle(
    url: str, redis: ArqRedis, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF")
    read: list[str] = []

    async def orders() -> AsyncIterator[tuple[str, list[Path | str]]]:
        for name in ("anna", "b b", "carl", "dora", "emil"):
            read.append(name)
            yield name, [file]

    await settle(redis, settings, "anna", "carl", "dora", "emil")
    found: dict[str, Outcome] = {}
    async with Client(url) as client:
        async for outcome in client.enroll_many(orders(), at_once=2):
            assert len(read) <= len(found) + 3
            found[outcome.speaker_id] = outcome
    refused = found.pop("b b")
    assert refused.error is not None
    assert refused.error.code == "speaker_id_invalid"
    assert set(found) == {"anna", "carl", "dora", "emil"}
    assert all(one.is_complete for one in found.values())


async def test_the_same_without_asyncio(url: str, redis: ArqRedis, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF")
    await settle(redis, settings, "anna", "ben")

    def program() -> list[str]:
        with SyncClient(url) as client:
            said = [client.enroll("anna", [file]).speaker_id, str(client.wait("anna", timeout_s=20).settled)]
            said += sorted(one.speaker_id for one in client.enroll_many([("anna", [file]), ("ben", [file])]))
            said += [next(client.events("enrollment.completed", after="evt_0-0")).type]
            with pytest.raises(CommandError, match="speaker_unknown"):
                client.speaker("nobody")
            return said

    said = await asyncio.to_thread(program)
    assert said == ["anna", "True", "anna", "ben", "enrollment.completed"]
    assert not [one for one in threading.enumerate() if one.name == "voxroll"]


async def test_the_example_of_the_readme(url: str, redis: ArqRedis, settings: Settings, tmp_path: Path) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    for name in ("call1.wav", "call2.mp3", "call3.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    await settle(redis, settings, "anna", "ben")
    env = {**os.environ, "VOXROLL_URL": url, "VOXROLL_DATA_DIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", example, cwd=tmp_path, env=env, stdout=PIPE)
    said, _ = await run.communicate()
    assert sorted(said.decode().split("\n")) == ["", "anna High", "ben High"]
