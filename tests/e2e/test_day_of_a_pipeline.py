"""The day of a backend pipeline: service code that hands recordings over in the night and names speakers by morning.

The steps are those of the walkthrough that the product was designed by, with the product's own commands.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from config.settings import Api
from tests.support.days import Day
from tests.support.speech import speakers
from tests.support.up import Up, ended
from voxroll.client import Client
from voxroll.demo.identify import Asker
from voxroll.documents import Sample
from voxroll.failure import Exit

_PATIENCE_S = 100.0


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    speakers()  # skips where there is no speech
    with Up(tmp_path / "data", VOXROLL_WORKER_LEASE="2s", VOXROLL_ENGINE_LEASE="2s", VOXROLL_WORKER_SWEEP="2s") as up:
        yield Day(up, tmp_path)


@pytest.mark.timeout(300)
async def test_from_nothing_to_names_in_the_morning(day: Day) -> None:
    url = str(day.up.note["url"])
    # 1. one command started everything: it says where the front door is, and that can do its work
    async with Client(url) as client:
        assert (await client.ready())[0]

        # 2. recordings are handed over in code, and the answer comes at once
        first = day.recording("monday.wav", 0, seconds=20)
        more = day.recording("tuesday.wav", 0, seconds=8, skip=6)
        agent = await client.enroll("59586001", [first, more], batch="night")
        assert (agent.speaker_id, agent.settled) == ("59586001", False)

        # 3. what will do and what will not is known with the answer, where that is asked for: no call need be spent
        good = day.recording("wednesday.wav", 1, seconds=20)
        found = await _preflight(client, "59586002", good)
        assert found.code is None
        assert found.recipe
        assert found.recipe["endS"] <= 20
        short = day.recording("hello.wav", 2, seconds=4)
        found = await _preflight(client, "59586003", short)
        assert (found.code, found.value, found.limit, found.attempts) == ("too_short", 4.0, 6.0, ())
        # the same is told without a server
        assert "too_short" in await day.later("check", str(day.folder / "hello.wav"), ends=Exit.INCOMPLETE)

        # 4. the worker dies, then the whole line, and nobody has to do anything
        children = day.up.children()
        os.kill(children["worker"], signal.SIGKILL)
        await client.enroll("59586004", [day.recording("thursday.wav", 3, seconds=20)], batch="night")
    day.up.signal(signal.SIGKILL)
    day.up.wait()
    for room in ("engine", "webhook"):
        ended(children[room])
    with Up(day.up.data_dir, VOXROLL_WORKER_LEASE="2s", VOXROLL_WORKER_SWEEP="2s") as again:
        morning = Day(again, day.folder)
        await _in_the_morning(morning, str(again.note["url"]))


async def _preflight(client: Client, speaker_id: str, recording: Path) -> Sample:
    """What became of one recording; handed in again, it is the same one, and is waited for once more."""
    while True:
        (found,) = (await client.enroll(speaker_id, [recording], batch="night", wait_s=30)).samples
        if found.state != "planned":
            return found


async def _in_the_morning(day: Day, url: str) -> None:
    async with Client(url) as client:
        for name in ("59586001", "59586002", "59586004"):
            agent = await client.wait(name, timeout_s=_PATIENCE_S)
            assert agent.enrollment_complete, name
        clean = await day.later("audit", "--since", "yesterday")
        assert clean.startswith("clean: 4 speakers (4 settled)")

        # 5. the transcription names only whom identify takes, and gets the right one
        names = await client.roster(batch="night")
        assert sorted(names) == ["59586001", "59586002", "59586004"]
        assert await client.roster(min_quality="High", batch="nobody") == []
        friday = day.recording("friday.wav", 1, seconds=18, skip=5)
        short = await client.shortlist(str(friday), limit=2, timeout_s=_PATIENCE_S)
        assert (short[0], len(short)) == ("59586002", 2)
        assert await client.shortlist(str(friday), batch="nobody") == []
        named = await day.later("roster", "--recording", str(friday))
        assert (named.split()[0], sorted(named.split())) == ("59586002", sorted(names))
        too_little = ("roster", "--recording", str(day.folder / "hello.wav"))
        assert await day.later(*too_little, ends=Exit.NOTHING) == ""
    wire = await asyncio.to_thread(day.told, "credentials")
    api = Api(
        base_url=wire["RC_SERVER_URL"],
        client_secret=SecretStr(wire["RC_APP_CLIENT_SECRET"]),
        jwt=SecretStr(wire["RC_USER_JWT"]),
    )
    async with Asker(api) as asking:
        heard = await asking.who(friday, short)
    assert heard.speaker_id == "59586002"

    # 6. what to raise an alarm by
    async with aiohttp.ClientSession(url) as http, http.get("/metrics") as answer:
        metrics = await answer.text()
    for line in ('speakers{state="complete"} 3.0', 'speakers{state="failed"} 1.0', "speakers_overdue 0.0"):
        assert f"voxroll_{line}\n" in metrics

    # each in one command: tell one speaker's story, try one again, start everything
    story = await day.later("why", "59586001")
    for word in ("monday.wav", "applied", "by callback", "next"):
        assert word in story
    await day.later("retry", "59586003", ends=Exit.NOTHING)  # it is as short as it was
