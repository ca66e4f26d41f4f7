"""`voxroll listen`, `trigger`, `events` and `endpoints`, as a newcomer would use them: without a tunnel."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from config.settings import Settings
from tests.support.serving import bound, serving, url_of
from tests.support.up import voxroll
from tests.support.waiting import until
from voxroll.client import Client
from voxroll.failure import CommandError, Exit
from webhook.app import create_app

SECRET = "whsec_" + "QUFB" * 8


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    async with serving(create_app(settings)) as url:
        yield url


@pytest.fixture
def run(url: str, settings: Settings) -> "Run":
    return Run(url, settings)


class Run:
    """`voxroll ...` in a process of its own, while the door is served here."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.variables = {"VOXROLL_URL": url, "COLUMNS": "200", "VOXROLL_DATA_DIR": str(settings.data_dir)}
        self._data_dir = settings.data_dir

    async def __call__(self, *arguments: str) -> CompletedProcess[str]:
        variables = {name: value for name, value in self.variables.items() if name != "VOXROLL_DATA_DIR"}
        return await asyncio.to_thread(voxroll, *arguments, data_dir=self._data_dir, **variables)


async def test_a_first_webhook_without_a_tunnel(run: Run, tmp_path: Path) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def hook(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response()

    app, listening, log = web.Application(), bound(), tmp_path / "listen.log"
    app.add_routes([web.post("/hook", hook)])
    async with serving(app, on=listening):
        command = [sys.executable, "-m", "voxroll", "listen", "--json", "--forward-to", f"{url_of(listening)}/hook"]
        with log.open("wb") as written:
            process = subprocess.Popen(  # noqa: ASYNC220 -- it is followed through its file
                [*command, "--secret", SECRET, "--types", "enrollment.*"],
                env={**run.variables, "PATH": "/usr/bin:/bin"},
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        try:
            await until(lambda: "following" in log.read_text())
            told = await run("trigger", "speaker.erased")
            assert told.returncode == 0, told.stderr
            told = await run("trigger", "enrollment.completed", "--speaker", "anna", "--json")
            await until(lambda: len(got) == 1)
        finally:
            process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(process.wait, 20) == 0
    ((headers, body),) = got
    event = Webhook(SECRET).verify(body, headers)
    assert event == json.loads(told.stdout)
    assert (event["test"], event["type"], event["speakerId"]) == (True, "enrollment.completed", "anna")
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [(one["id"], one["answer"]) for one in lines] == [(event["id"], "200")]

    file = tmp_path / "body"
    file.write_bytes(body)
    headers = {name.lower(): value for name, value in headers.items()}
    shown = ["--id", headers["webhook-id"], "--timestamp", headers["webhook-timestamp"]]
    shown += ["--signature", headers["webhook-signature"]]
    assert (await run("events", "verify", str(file), "--secret", SECRET, *shown)).stdout == "valid\n"
    file.write_bytes(body + b" ")
    refused = await run("events", "verify", str(file), "--secret", SECRET, *shown)
    assert (refused.returncode, "signature_invalid" in refused.stderr) == (Exit.FAILED, True)


async def test_events_are_listed_and_shown(run: Run) -> None:
    for speaker in ("anna", "ben"):
        assert (await run("trigger", "enrollment.started", "--speaker", speaker)).returncode == 0
    table = (await run("events", "list")).stdout
    assert "enrollment.started of anna, a test" in table
    (one,) = json.loads((await run("events", "list", "--speaker", "ben", "--since", "1h", "--json")).stdout)["events"]
    assert json.loads((await run("events", "show", one["id"], "--json")).stdout)["event"] == one
    page = (await run("events", "show", one["id"])).stdout
    for word in (one["id"], "enrollment.started of ben", "test: nothing happened", "there is none"):
        assert word in page
    wrong = await run("trigger", "enrolment.started", "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (Exit.FAILED, "event_type_unknown")
    wrong = await run("events", "list", "--since", "last week")
    assert (wrong.returncode, "bad_time" in wrong.stderr) == (Exit.USAGE, True)


async def test_endpoints_are_made_listed_and_removed(run: Run) -> None:
    made = json.loads(
        (await run("endpoints", "add", "https://example.org/hook", "--types", "speaker.*", "--json")).stdout
    )
    assert made["secret"].startswith("whsec_")
    name = made["endpointId"]
    assert (await run("trigger", "speaker.erased")).returncode == 0
    since = datetime.now(UTC).isoformat()[:14] + "00"
    told = await run("events", "replay", "--endpoint", name, "--since", since, "--json")
    assert json.loads(told.stdout) == {"endpointId": name, "events": 1}
    table = (await run("endpoints", "list")).stdout
    for word in (name, "https://example.org/hook", "speaker.*", "on"):
        assert word in table
    assert made["secret"] not in table
    assert "whsec_" in (await run("endpoints", "rotate", name)).stdout
    assert (await run("endpoints", "disable", name)).returncode == 0
    assert "disabled by hand" in (await run("endpoints", "list")).stdout
    assert (await run("endpoints", "remove", name)).returncode == 0
    assert "none" in (await run("endpoints", "list")).stderr


async def test_who_follows_survives_a_restart_of_the_front_door(settings: Settings) -> None:
    listening = bound()
    async with contextlib.AsyncExitStack() as stack, contextlib.AsyncExitStack() as first:
        await first.enter_async_context(serving(create_app(settings), on=listening.dup()))
        client = await stack.enter_async_context(Client(url_of(listening)))
        begin = await client.trigger("enrollment.started", speaker="zero")
        events = await stack.enter_async_context(contextlib.aclosing(client.events("enrollment.*", after=begin.id)))
        await client.trigger("enrollment.started", speaker="anna")
        assert (await anext(events)).speaker_id == "anna"
        await first.aclose()
        await stack.enter_async_context(serving(create_app(settings), on=listening))
        await client.trigger("enrollment.started", speaker="ben")
        async with asyncio.timeout(20):
            assert (await anext(events)).speaker_id == "ben"


async def test_nothing_is_missed_between_two_connections_though_no_event_had_come(settings: Settings) -> None:
    listening = bound()
    async with contextlib.AsyncExitStack() as stack, contextlib.AsyncExitStack() as first:
        await first.enter_async_context(serving(create_app(settings), on=listening.dup()))
        client = await stack.enter_async_context(Client(url_of(listening)))
        await client.trigger("enrollment.started", speaker="zero")
        events = await stack.enter_async_context(contextlib.aclosing(client.events("enrollment.*")))
        coming = asyncio.ensure_future(anext(events))
        metrics = f"{url_of(listening)}/metrics"

        async def is_followed() -> bool:
            async with aiohttp.request("GET", metrics) as answer:
                return "voxroll_event_watchers 1.0" in await answer.text()

        await until(is_followed)
        await first.aclose()
        async with contextlib.AsyncExitStack() as meanwhile:
            other = bound()
            await meanwhile.enter_async_context(serving(create_app(settings), on=other))
            beside = await meanwhile.enter_async_context(Client(url_of(other)))
            await beside.trigger("enrollment.started", speaker="anna")
        await stack.enter_async_context(serving(create_app(settings), on=listening))
        async with asyncio.timeout(20):
            assert (await coming).speaker_id == "anna"


async def test_a_wrong_place_to_go_on_from_is_an_error(url: str) -> None:
    async with Client(url) as client, contextlib.aclosing(client.events(after="yesterday")) as events:
        with pytest.raises(CommandError, match="invalid_request"):
            await anext(events)
