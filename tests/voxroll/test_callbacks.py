"""`voxroll callbacks`: what came is listed, shown and replayed from the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from subprocess import CompletedProcess

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import BODY, token
from tests.support.serving import serving
from tests.support.up import voxroll
from voxroll.failure import Exit
from webhook.app import create_app
from worker.queue.jobs import queue_name
from worker.store import keys


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    """A front door to which three callbacks came, and a forged one."""
    async with serving(create_app(settings)) as url, aiohttp.ClientSession(url) as http:
        for who in ("anna", "ben", "anna"):
            async with http.post(f"/v1/callbacks/{token(settings, speaker_id=who)}", data=BODY) as answer:
                assert answer.status == 200
        async with http.post("/v1/callbacks/forged", data=BODY) as answer:
            assert answer.status == 403
        yield url


@pytest.fixture
def run(url: str, settings: Settings) -> "Run":
    return Run(url, settings)


class Run:
    """`voxroll callbacks ...` in a process of its own, while the door is served here."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._data_dir = settings.data_dir

    async def __call__(self, *arguments: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(
            voxroll, "callbacks", *arguments, data_dir=self._data_dir, VOXROLL_URL=self._url, COLUMNS="200"
        )


async def test_they_are_listed_newest_first_and_filtered(run: Run, redis: ArqRedis, settings: Settings) -> None:
    listed = json.loads((await run("list", "--json")).stdout)["callbacks"]
    assert [one["speakerId"] for one in listed] == ["anna", "ben", "anna"]
    of_anna = json.loads((await run("list", "--speaker", "anna", "--limit", "1", "--json")).stdout)["callbacks"]
    assert of_anna == listed[:1]
    table = (await run("list")).stdout
    for word in (listed[0]["callbackId"], "accepted", "ben", "received"):
        assert word in table
    await redis.xread({keys.refused(settings.account): b"0"}, block=10_000)
    for filters in (["--refused"], ["--verdict", "callback_forged"]):
        (forged,) = json.loads((await run("list", *filters, "--json")).stdout)["callbacks"]
        assert (forged["verdict"], forged["speakerId"]) == ("callback_forged", "")
    assert "callback_forged" in (await run("list", "--refused")).stdout


async def test_one_is_shown_as_it_came_and_replayed(run: Run, redis: ArqRedis, settings: Settings) -> None:
    callback_id = json.loads((await run("list", "--limit", "1", "--json")).stdout)["callbacks"][0]["callbackId"]
    assert json.loads((await run("show", callback_id, "--json")).stdout)["body"] == BODY.decode()
    shown = (await run("show", callback_id)).stdout
    assert BODY.decode() in shown
    assert "anna" in shown
    assert "voxroll why anna" in (await run("replay", callback_id)).stdout
    jobs = [job_id.decode() for job_id in await redis.zrange(queue_name(settings.account), 0, -1)]
    assert len([job_id for job_id in jobs if f":{callback_id}" in job_id]) == 2


async def test_a_callback_that_is_not_there_is_told(run: Run) -> None:
    for command in ("show", "replay"):
        ended = await run(command, "1-1", "--json")
        assert ended.returncode == Exit.FAILED
        assert json.loads(ended.stdout)["error"]["code"] == "callback_unknown"
    assert (await run("list", "--limit", "0")).returncode == Exit.USAGE
