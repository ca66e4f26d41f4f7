"""`voxroll retry`, `roster` and `export` over a front door whose records the test writes."""

import asyncio
import json
from collections.abc import AsyncIterator
from subprocess import CompletedProcess

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.lives import START
from tests.support.serving import serving
from tests.support.up import voxroll
from voxroll import Client
from voxroll.failure import Exit
from webhook.app import create_app
from worker.enrollment.facts import EnrollmentSeen, RecordingPlanned, SampleRejected
from worker.enrollment.record import Enrollment, Quality, RecordingId, SpeakerId
from worker.enrollment.steps import Policy
from worker.store.status import StatusStore

_PAGE = 100  # of the client's requests


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    async with serving(create_app(settings)) as url:
        yield url


@pytest.fixture
def store(redis: ArqRedis, settings: Settings) -> StatusStore:
    return StatusStore(redis, account=settings.account, policy=Policy(), events_kept=1000)


async def run(url: str, settings: Settings, *arguments: str) -> CompletedProcess[str]:
    return await asyncio.to_thread(voxroll, *arguments, data_dir=settings.data_dir, VOXROLL_URL=url)


async def seen(store: StatusStore, name: str, quality: Quality, *, complete: bool = True) -> None:
    status = Enrollment(audio_s=30, speech_s=28 if complete else 8, complete=complete, quality=quality)
    await store.apply(SpeakerId(name), EnrollmentSeen(at=START, enrollment=status))


async def rejected(store: StatusStore, name: str, code: str) -> None:
    planned = RecordingPlanned(at=START, recording_id=RecordingId("r1"), source="http://x/a.wav", name="a.wav")
    told = SampleRejected(at=START, recording_id=RecordingId("r1"), code=code, message="-")
    await store.apply(SpeakerId(name), planned, told)


async def test_the_roster_has_whom_identify_takes(url: str, settings: Settings, store: StatusStore) -> None:
    await seen(store, "anna", Quality.HIGH)
    await seen(store, "ben", Quality.GOOD)
    await seen(store, "clara", Quality.POOR)
    await seen(store, "dora", Quality.HIGH, complete=False)
    assert (await run(url, settings, "roster")).stdout == "anna\nben\nclara\n"
    good = ("roster", "--min-quality", "Good", "--limit-per-call", "2")
    assert (await run(url, settings, *good)).stdout == "anna,ben\n"
    every = await run(url, settings, "roster", "--every", "--limit-per-call", "3", "--json")
    assert json.loads(every.stdout)["calls"] == [["anna", "ben", "clara"], ["dora"]]
    lines = (await run(url, settings, "export")).stdout.splitlines()
    assert sorted(json.loads(line)["speakerId"] for line in lines) == ["anna", "ben", "clara", "dora"]
    assert (await run(url, settings, "roster", "--batch", "bat_0")).returncode == Exit.NOTHING
    assert (await run(url, settings, "roster", "--min-quality", "Great")).returncode == Exit.USAGE


async def test_what_may_have_passed_is_tried_again_and_nothing_else(
    url: str, settings: Settings, store: StatusStore
) -> None:
    await rejected(store, "anna", "unreadable_source")
    await rejected(store, "ben", "unreadable_source")
    await rejected(store, "clara", "silent")
    one = await run(url, settings, "retry", "anna", "--json")
    assert (one.returncode, json.loads(one.stdout)) == (Exit.OK, {"speakers": ["anna"]}), one.stderr
    states = [sample.planned_at is not None for sample in (await store.get(SpeakerId("anna"))).record.samples]
    assert states == [True, True]
    others = await run(url, settings, "retry", "--code", "unreadable_source", "--json")
    assert json.loads(others.stdout)["speakers"] == ["ben"]
    for arguments in (("anna",), ("clara",), ("--code", "silent")):
        assert (await run(url, settings, "retry", *arguments)).returncode == Exit.NOTHING
    assert (await run(url, settings, "retry")).returncode == Exit.USAGE
    assert (await run(url, settings, "retry", "nobody")).returncode == Exit.NOTHING


async def test_whoever_changes_while_all_are_read_is_not_missed(
    url: str, settings: Settings, store: StatusStore
) -> None:
    for number in range(_PAGE + 1):
        await seen(store, f"s{number:03}", Quality.POOR)
    found: list[str] = []
    async with Client(url) as client:
        async for one in client.speakers(oldest_first=True):
            if not found:
                await seen(store, "s000", Quality.HIGH)  # told already: comes again, and hides nobody
                await seen(store, f"s{_PAGE:03}", Quality.HIGH)  # on a page to come
            found.append(one.speaker_id)
    assert found == [*(f"s{number:03}" for number in range(_PAGE)), "s000", f"s{_PAGE:03}"]
    last = await run(url, settings, "status", "--state", "withdrawn")
    assert (last.returncode, last.stdout) == (Exit.OK, "")
    refused = await run(url, settings, "status", "--state", "asleep", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (Exit.USAGE, "bad_usage")
