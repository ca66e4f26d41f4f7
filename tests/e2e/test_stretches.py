"""A stretch of a recording and its language, from the request to the sample, the call and the document."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Settings
from tests.support.line import Line, line
from tests.support.speech import said, wav
from worker.enrollment.record import WHOLE, RecordingId, SpeakerId, Stretch
from worker.prepare import prepare
from worker.store.codec import unpacked

WHO = SpeakerId("anna")


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Line]:
    async with line(settings) as one:
        yield one


@pytest.fixture
def call(tmp_path: Path) -> str:
    """Two who speak in turn, half a minute each."""
    path = tmp_path / "call.wav"
    path.write_bytes(wav(np.concatenate([said("1688", seconds=30), said("2033", seconds=30)])))
    return str(path)


async def handed_in(here: Line, *recordings: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    body = {"speakerId": WHO, "recordings": list(recordings)}
    async with here.door.post("/v1/enrollments", json=body) as answer:
        return answer.status, await answer.json()


async def test_the_sample_is_found_within_the_stretch_and_the_document_says_so(here: Line, call: str) -> None:
    status, told = await handed_in(here, {"source": call, "start": "0:30", "end": 60, "language": "de_at"})
    (sample,) = told["samples"]
    assert (status, sample["stretch"], sample["language"]) == (202, {"startS": 30.0, "endS": 60.0}, "de-AT")
    assert await prepare(here.shop, WHO, RecordingId(sample["recordingId"]), job_try=1) == "ready"
    (sample,) = (await here.document(WHO))["samples"]
    assert 30 <= sample["recipe"]["startS"] < sample["recipe"]["endS"] <= 60


async def test_two_stretches_are_two_recordings_and_what_they_share_counts_once(here: Line, call: str) -> None:
    parts = [{"source": call, "end": 30}, {"source": call, "start": 30}, {"source": call, "start": 20, "end": 50}]
    _, told = await handed_in(here, *parts, {"source": call})
    ids = [RecordingId(one["recordingId"]) for one in told["samples"]]
    assert len(set(ids)) == 4
    outcomes = [await prepare(here.shop, WHO, one, job_try=1) for one in ids]
    assert outcomes == ["ready", "ready", "duplicate_recording", "duplicate_recording"]
    shown = (await here.document(WHO))["samples"][2]
    assert shown["message"].startswith("the part from 0 s to 30 s of the same file gives call.wav its sample; name a")
    _, again = await handed_in(here, parts[0])
    assert len(again["samples"]) == 4


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"start": 60, "end": 30}, "stretch_invalid"),
        ({"start": -1}, "stretch_invalid"),
        ({"end": "soon"}, "stretch_invalid"),
        ({"language": "English"}, "language_invalid"),
        ({"start": True}, "invalid_request"),
    ],
)
async def test_what_is_no_stretch_or_no_language_is_refused(
    here: Line, call: str, field: dict[str, Any], code: str
) -> None:
    status, told = await handed_in(here, {"source": call} | field)
    assert (status, told["code"]) == (422, code)


async def test_a_stretch_beyond_the_end_costs_no_call(here: Line, call: str) -> None:
    _, told = await handed_in(here, {"source": call, "start": 50, "end": 90})
    assert await prepare(here.shop, WHO, RecordingId(told["samples"][0]["recordingId"]), job_try=1) == "stretch_missing"
    (sample,) = (await here.document(WHO))["samples"]
    assert "ends at 90.0 s, the recording ends at 60.0 s; name" in sample["message"]


def test_a_record_written_before_there_were_stretches_is_read() -> None:
    old = b'{"speaker_id": "anna", "samples": [{"recording_id": "r1", "source": "file:///a.wav", "channel": 1}]}'
    (sample,) = unpacked(old).record.samples
    assert (sample.stretch, sample.language, sample.channel) == (WHOLE, None, 1)
    assert Stretch() == WHOLE
