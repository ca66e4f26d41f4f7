"""The engine decodes in children: a recording that ends or holds up its decoder costs nothing but itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from config.settings import Settings
from engine.service.spool import Spool
from tests.support.decoders import children, strike
from tests.support.engine import ENROLLMENTS, Rc, running_engine, sample
from tests.support.waiting import until

Clip = Callable[..., bytes]
WAYS: dict[str, dict[str, Any]] = {  # what is asked, and with what, so that nobody waits for it
    ENROLLMENTS: {"speakerId": "eve"},
    "/ai/audio/v1/async/speaker-identify": {"speakerIds": ["ann"]},
    "/ai/audio/v1/async/speaker-diarize": {},
}


def with_role(settings: Settings, role: str) -> Settings:
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"role": role, "threads": 2})})


@pytest.fixture
async def front(settings: Settings) -> AsyncIterator[Rc]:
    """Processes that only take requests."""
    async with running_engine(with_role(settings, "api"), hears=False) as rc:
        yield rc


async def hold_up(front: Rc, settings: Settings, path: str, **body: Any) -> str:
    """Ask for something whose audio a decoder waits for in vain; returns the id of the job."""
    asked = await front.call("POST", path, json=body | sample(b"RIFF"), params={"webhook": "http://127.0.0.1:9/nobody"})
    job_id = str(asked.body["jobId"])
    audio = Spool(settings.data_dir / "engine" / "jobs").path(job_id)
    audio.unlink()
    os.mkfifo(audio)
    return job_id


async def struck(number: signal.Signals, *ending: asyncio.Task[str]) -> list[str]:
    """What the jobs ended with; their decoders are killed until then."""

    def over() -> bool:
        strike(number)
        return all(one.done() for one in ending)

    await until(over)
    return [one.result() for one in ending]


async def failure(rc: Rc, job_id: str) -> tuple[str, str, str | None]:
    """The contract's code, the message and the parameter that a job failed with."""
    (error,) = (await rc.job(job_id)).body["response"]["errors"]
    return error["errorCode"], error["message"], error.get("parameterName")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGSEGV, "corrupt: it ended its decoder (SIGSEGV); convert the recording to WAV"),
        (signal.SIGALRM, "corrupt: still not decoded after"),  # as the child's own timer does
    ],
)
async def test_recordings_that_end_their_decoder_are_refused_and_their_neighbours_are_not(
    settings: Settings, front: Rc, clip: Clip, number: signal.Signals, message: str
) -> None:
    async with running_engine(with_role(settings, "work")):
        assert (await front.enroll("ann", clip(0, 0, seconds=20))).status == 201
    jobs = [await hold_up(front, settings, path, **body) for path, body in WAYS.items()]
    async with running_engine(with_role(settings, "work")):
        await until(lambda: len(children()) >= 2)  # a sample's and a recording's
        assert (await front.enroll("bob", clip(1, 0))).status == 201
        ending = [asyncio.create_task(front.ended(job_id)) for job_id in jobs]
        assert await struck(number, *ending) == ["Fail"] * len(jobs)
        for job_id in jobs:
            code, text, parameter = await failure(front, job_id)
            assert (code, parameter) == ("CAI-101", "content")
            assert text.startswith(message)
        assert (await front.enroll("eve", clip(1, 1))).status == 201
    assert children() == []


async def test_a_decoder_that_is_killed_from_outside_says_nothing_of_the_recording_but_not_for_ever(
    settings: Settings, front: Rc, clip: Clip
) -> None:
    job_id = await hold_up(front, settings, "/ai/audio/v1/async/speaker-diarize")
    async with running_engine(with_role(settings, "work")):
        ending = asyncio.create_task(front.ended(job_id))
        assert await struck(signal.SIGKILL, ending) == ["Fail"]
        code, message, _ = await failure(front, job_id)
        assert (code, message[:45]) == ("CMN-203", "internal: 3 runs crashed or took over 900 s; ")
        assert (await front.enroll("bob", clip(1, 0))).status == 201
