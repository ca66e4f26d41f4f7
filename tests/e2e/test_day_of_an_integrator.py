"""The day of an event-driven integrator: a first webhook, a subscription, an outage, a look at one event, a forgery."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from tests.support.days import Day
from tests.support.serving import bound, serving, url_of
from tests.support.speech import speakers
from tests.support.up import Up, environment
from tests.support.waiting import until
from voxroll.client import Client

_PATIENCE_S = 100.0


class Crm:
    """Who listens: takes each event once by its id, while it is there."""

    def __init__(self) -> None:
        self.is_there = True
        self.secret = ""
        self.tries = 0
        self.events: dict[str, dict[str, Any]] = {}
        self.came: list[tuple[dict[str, str], bytes]] = []

    async def hook(self, request: web.Request) -> web.Response:
        self.tries += 1
        if not self.is_there:
            return web.Response(status=503)
        headers, body = dict(request.headers), await request.read()
        event = Webhook(self.secret).verify(body, headers)
        self.came.append((headers, body))
        self.events.setdefault(event["id"], event)
        return web.Response(status=204)

    def of(self, speaker_id: str) -> list[tuple[int, str]]:
        return sorted(
            (one["sequence"], one["type"]) for one in self.events.values() if one.get("speakerId") == speaker_id
        )


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    speakers()  # skips where there is no speech
    with Up(tmp_path / "data", VOXROLL_ENDPOINTS_ALLOW_PRIVATE="true") as up:
        yield Day(up, tmp_path)


@pytest.fixture
async def crm() -> AsyncIterator[tuple[Crm, str]]:
    made, app, listening = Crm(), web.Application(), bound()
    app.add_routes([web.post("/hook", made.hook)])
    async with serving(app, on=listening):
        yield made, f"{url_of(listening)}/hook"


@pytest.mark.timeout(300)
async def test_from_a_first_webhook_to_a_forged_callback(day: Day, crm: tuple[Crm, str]) -> None:
    here, hook = crm
    async with Client(str(day.up.note["url"])) as client:
        await _first_webhook(day, here, hook)
        made = await client.add_endpoint(hook, "enrollment.*", "sample.*", "callback.*")
        here.secret = made.secret or ""
        await _subscribed(day, client, here)
        await _was_away(day, client, here, made.endpoint_id)
        await _looks_at_one(day, client, here)
        await _forged_and_late(day, client, here)


async def _first_webhook(day: Day, here: Crm, hook: str) -> None:
    """1. Listen here, trigger there; the secret is shown, and no account or tunnel is needed."""
    log = day.folder / "listen.log"
    command = [sys.executable, "-m", "voxroll", "listen", "--forward-to", hook, "--types", "enrollment.completed"]
    with log.open("wb") as written:
        process = subprocess.Popen(  # noqa: ASYNC220 -- it is followed through its file
            command, env=environment(day.up.data_dir, COLUMNS="200"), stdout=written, stderr=subprocess.STDOUT
        )
    try:
        await until(lambda: "following" in log.read_text())
        here.secret = next(word for word in log.read_text().split() if word.startswith("whsec_"))
        await day.later("trigger", "enrollment.completed", "--grade", "Good")
        await until(lambda: bool(here.events))
    finally:
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 20) == 0
    (event,) = here.events.values()
    assert (event["test"], event["data"]["enrollmentQuality"]) == (True, "Good")
    await until(lambda: "-> 204" in log.read_text())
    here.events.clear()


async def _subscribed(day: Day, client: Client, here: Crm) -> None:
    """2. What happens comes signed, in order, each by the schema of its type."""
    await client.enroll("anna", [day.recording("anna.wav", 0, seconds=20)])
    assert (await client.wait("anna", timeout_s=_PATIENCE_S)).enrollment_complete
    await until(lambda: any(kind == "enrollment.completed" for _, kind in here.of("anna")))
    catalogue = {one["type"]: one["schema"] for one in (await client.ask("GET", "/v1/event-types"))["types"]}
    for event in here.events.values():
        jsonschema.validate(event, catalogue[event["type"]])
    numbers = [number for number, _ in here.of("anna")]
    assert numbers == list(range(1, len(numbers) + 1))


async def _was_away(day: Day, client: Client, here: Crm, endpoint_id: str) -> None:
    """3. Away for some time: it is tried again; a replay of these hours fills the rest, and ids make that safe."""
    here.is_there, tried, began = False, here.tries, datetime.now(UTC)
    await client.enroll("ben", [day.recording("ben.wav", 1, seconds=20)])
    assert (await client.wait("ben", timeout_s=_PATIENCE_S)).enrollment_complete
    await until(lambda: here.tries > tried)
    assert here.of("ben") == []
    assert "failing" in await day.later("endpoints", "list")
    here.is_there = True
    told = await day.later("events", "replay", "--endpoint", endpoint_id, "--since", began.isoformat(), "--json")
    await until(lambda: any(kind == "enrollment.settled" for _, kind in here.of("ben")))
    numbers = [number for number, _ in here.of("ben")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert json.loads(told)["events"] >= len(numbers)


async def _looks_at_one(day: Day, client: Client, here: Crm) -> None:
    """4. One event on one page: the callback, what it says, what was made of it, the change, who got it."""
    event = next(one for one in here.events.values() if one["type"] == "sample.applied")
    (callback,) = [one async for one in client.callbacks(speaker=event["speakerId"])]
    page = await day.later("events", "show", event["id"])
    for word in (
        f"sample.applied of {event['speakerId']}",
        "told with",
        "enrollment.completed",
        callback.callback_id,
        "enrollmentComplete yes",
        "taken: applied",
        "speaker now",
        "delivered",
    ):
        assert word in page, word
    headers, body = here.came[-1]
    (day.folder / "body").write_bytes(body)
    shown = {name.lower(): value for name, value in headers.items()}
    options = [("--id", "webhook-id"), ("--timestamp", "webhook-timestamp"), ("--signature", "webhook-signature")]
    arguments = [word for option, name in options for word in (option, shown[name])]
    await day.later("events", "verify", str(day.folder / "body"), "--secret", here.secret, *arguments)


async def _forged_and_late(day: Day, client: Client, here: Crm) -> None:
    """5. A forged callback changes nothing and is an event itself; one that comes once more is no news."""
    before = await client.speaker("anna")
    forged = {"speakerId": "anna", "enrollmentComplete": True, "totalSpeechDuration": 99.0, "enrollmentQuality": "High"}
    async with aiohttp.ClientSession(client.url) as http, http.post("/v1/callbacks/forged", json=forged) as answer:
        assert answer.status == 403
    await until(lambda: any(one["type"] == "callback.refused" for one in here.events.values()))
    event = next(one for one in here.events.values() if one["type"] == "callback.refused")
    page = await day.later("events", "show", event["id"])
    for word in ("callback.refused", event["data"]["verdict"], "refused: nothing was made of it"):
        assert word in page, word
    (callback,) = [one async for one in client.callbacks(speaker="anna")]
    number = len(here.of("anna"))
    await client.replay(callback.callback_id)
    assert (await day.later("audit")).startswith("clean")
    assert (await client.speaker("anna"), len(here.of("anna"))) == (before, number)
    checks = {one["name"]: one for one in json.loads(await day.later("doctor", "--json"))}
    assert "answers 200 in" in checks["webhook_url"]["detail"]
    assert "the API's clock" in checks["clock"]["detail"]
