"""The engine's bad days: each mode does what it says, the same seed does the same, an unknown one is refused."""

import asyncio
import time
from collections.abc import Callable

import pytest

from config.settings import Settings, SettingsError
from engine.service.app import create_app
from engine.service.faults import Faults
from tests.support.engine import Receiver, running_engine

Clip = Callable[..., bytes]


def faulty(settings: Settings, faults: str, *, seed: int = 7) -> Settings:
    engine = settings.engine.model_copy(update={"faults": faults, "faults_seed": seed})
    return settings.model_copy(update={"engine": engine})


def made(faults: str, *, seed: int = 7) -> Faults:
    one = Faults.parse(faults, seed=seed)
    assert one is not None
    return one


def test_without_faults_there_is_nothing_to_ask() -> None:
    assert Faults.parse(" ", seed=0) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flakey", "'flakey' is no mode; there are flaky, slow,"),
        ("flaky,slow=soon", "'slow=soon': a number above 0, 120 at most"),
        ("dropping=1.5", "1 at most"),
        ("reordering=60", "8 at most"),
        ("late=0", "above 0"),
        ("slow=nan", "above 0"),
    ],
)
def test_what_is_no_fault_is_refused_at_start_in_words(settings: Settings, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"VOXROLL_ENGINE_FAULTS: .*{said}"):
        create_app(faulty(settings, text))


@pytest.mark.parametrize(("faults", "expected"), [("flaky", "10101010"), ("flaky=0.25", "10001000"), ("slow", "0" * 8)])
def test_every_other_call_of_a_kind_fails_whatever_comes_between(faults: str, expected: str) -> None:
    one = made(faults)
    assert "".join(str(int(one.fails("GET /a"))) for _ in range(8)) == expected
    assert "".join(str(int(one.fails(f"GET /{n % 2}"))) for n in range(8))[::2] == expected[:4]


def test_shares_are_kept_and_repeatable_by_seed() -> None:
    text = "dropping=0.2,duplicating=0.3,reordering=2"
    fates = [made(text).copies, made(text).copies, made(text, seed=8).copies]
    first, again, other = ([fate() for _ in range(2000)] for fate in fates)
    assert first == again != other
    sent = [len(copies) for copies in first]
    assert sent.count(0) / len(sent) == pytest.approx(0.2, abs=0.03)
    assert sent.count(3) / (len(sent) - sent.count(0)) == pytest.approx(0.3, abs=0.03)
    assert all(0 <= pause_s <= 2 for copies in first for pause_s in copies)


async def test_a_flaky_engine_does_nothing_when_it_answers_500(settings: Settings, clip: Clip) -> None:
    async with running_engine(faulty(settings, "flaky")) as rc:
        refused = await rc.enroll("a", clip())
        assert (refused.status, refused.body["errorCode"]) == (500, "CMN-203")
        assert [(await rc.get("a")).status for _ in range(2)] == [500, 404]
        assert (await rc.enroll("a", clip())).status == 201


async def test_a_late_engine_has_applied_before_it_answers(settings: Settings, clip: Clip) -> None:
    async with running_engine(faulty(settings, "late=60")) as rc:
        answering = asyncio.create_task(rc.enroll("a", clip()))
        async with asyncio.timeout(30):
            while (await rc.get("a")).status != 200:
                pass
        assert not answering.done()
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    async with running_engine(settings, hears=False) as rc:
        assert (await rc.get("a")).status == 200


async def test_an_early_engine_calls_back_before_it_answers(settings: Settings, clip: Clip, receiver: Receiver) -> None:
    async with running_engine(faulty(settings, "early")) as rc:
        answer = asyncio.create_task(rc.enroll("a", clip(), webhook=receiver.url))
        await receiver.next()
        assert not answer.done()
        assert (await answer).status == 202


async def test_a_duplicating_engine_sends_three_times(settings: Settings, clip: Clip, receiver: Receiver) -> None:
    async with running_engine(faulty(settings, "duplicating")) as rc:
        await rc.enroll("a", clip(), webhook=receiver.url)
        bodies = [(await receiver.next())[1] for _ in range(3)]
        assert bodies == [(await rc.get("a")).body] * 3


async def test_of_a_silent_engine_the_job_tells(settings: Settings, clip: Clip, receiver: Receiver) -> None:
    async with running_engine(faulty(settings, "silent")) as rc:
        accepted = await rc.enroll("a", clip(), webhook=receiver.url)
        assert await rc.ended(accepted.body["jobId"]) == "Success"
    assert receiver.received.empty()


DIARIZE = "/ai/audio/v1/async/speaker-diarize"
NO_AUDIO = {"encoding": "Wav", "languageCode": "en-US", "content": ""}  # its job fails at once


async def test_a_slow_engine_takes_its_time_with_every_call(settings: Settings) -> None:
    twin = made("slow=0.4")
    async with running_engine(faulty(settings, "slow=0.4"), hears=False) as rc:
        for _ in range(5):
            began = time.monotonic()
            assert (await rc.get("nobody")).status == 404
            assert time.monotonic() - began >= twin.slowness_s()


async def test_a_dropping_engine_never_sends_its_share(settings: Settings, receiver: Receiver) -> None:
    twin = made("dropping=0.5")
    sent = sum(len(twin.copies()) for _ in range(12))
    assert 0 < sent < 12
    async with running_engine(faulty(settings, "dropping=0.5")) as rc:
        for _ in range(12):
            accepted = await rc.call("POST", DIARIZE, json=NO_AUDIO, params={"webhook": receiver.url})
            assert await rc.ended(accepted.body["jobId"]) == "Fail"
        told = [(await receiver.next())[1]["jobId"] for _ in range(sent)]
    assert len(set(told)) == sent
    assert receiver.received.empty()


async def test_a_reordering_engine_sends_each_once_in_another_order(settings: Settings, receiver: Receiver) -> None:
    async with running_engine(faulty(settings, "reordering=2")) as rc:
        asked = []
        for _ in range(8):
            accepted = await rc.call("POST", DIARIZE, json=NO_AUDIO, params={"webhook": receiver.url})
            asked.append(accepted.body["jobId"])
            await rc.ended(asked[-1])
        told = [(await receiver.next())[1]["jobId"] for _ in range(8)]
    assert sorted(told) == sorted(asked)
    assert told != asked


async def test_an_early_engine_waits_for_no_callback_that_nobody_asked_for(settings: Settings) -> None:
    async with running_engine(faulty(settings, "early=60")) as rc, asyncio.timeout(30):
        assert (await rc.call("POST", DIARIZE, json=NO_AUDIO)).status == 202
