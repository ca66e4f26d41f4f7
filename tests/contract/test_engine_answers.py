"""What the engine answers validates against every published generation of the contract."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.settings import Settings
from tests.support.engine import ENROLLMENTS, Answer, Rc, Receiver, receiving, running_engine, sample
from tests.support.specs import faults, response_schema, spec
from tests.support.speech import said, speakers, wav

GENERATIONS = {
    "2022-12-01-docs-8f3232f2.json": "enrollmentId",
    "2023-04-10-a95c7b0.ai.json": "enrollmentId",
    "2023-10-30-d9100ee.ai.json": "enrollmentId",
    "2023-12-10-50a27cc.ai.json": "speakerId",
    "2025-09-23-e87a020.ai.json": "speakerId",
}
JOBS = "/ai/status/v1/jobs/{jobId}"


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def rc(settings: Settings) -> AsyncIterator[Rc]:
    async with running_engine(settings.model_copy(update={"profile": "2024"})) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


def clip(number: int, *, seconds: float = 7.0) -> bytes:
    return wav(said(min(speakers()), seconds=seconds, skip=number))


async def test_every_answer_fits_the_specification(rc: Rc, generation: str) -> None:
    document, name = spec(generation), GENERATIONS[generation]
    one = ENROLLMENTS + "/{" + name + "}"

    def fits(answer: Answer, path: str, method: str, status: int) -> None:
        assert answer.status == status
        schema = response_schema(document, path, method, status)
        assert (schema is None) == (answer.body == b"")
        assert schema is None or faults(document, schema, answer.body) == []

    async def enroll(speaker_id: str, audio: bytes) -> Answer:
        return await rc.call("POST", ENROLLMENTS, json={name: speaker_id, **sample(audio)})

    fits(await enroll("a", clip(0)), ENROLLMENTS, "post", 201)
    fits(await enroll("a", clip(1)), ENROLLMENTS, "post", 409)
    fits(await enroll("b", clip(0, seconds=2)), ENROLLMENTS, "post", 400)
    fits(await enroll("no id!", clip(0)), ENROLLMENTS, "post", 400)
    fits(await rc.add("a", clip(2)), one, "patch", 201)
    fits(await rc.add("a", clip(2)), one, "patch", 400)
    fits(await rc.add("b", clip(2)), one, "patch", 404)
    fits(await rc.get("a"), one, "get", 200)
    fits(await rc.get("b"), one, "get", 404)
    fits(await rc.listing(partial="true", perPage="100", page="1"), ENROLLMENTS, "get", 200)
    fits(await rc.listing(page="0"), ENROLLMENTS, "get", 400)
    fits(await rc.delete("b"), one, "delete", 404)
    fits(await rc.delete("a"), one, "delete", 204)
    fits(await rc.delete("a"), one, "delete", 410)


async def test_jobs_fit_the_specification(rc: Rc, receiver: Receiver) -> None:
    document = spec("2025-09-23-e87a020.ai.json")
    path = "/ai/audio/v1/async/speaker-identify"  # no generation documents a 202 for enrollments: the neighbour's
    accepted_schema = response_schema(document, path, "post", 202)
    status_schema = response_schema(document, JOBS, "get", 200)
    assert accepted_schema is not None
    assert status_schema is not None
    base: dict[str, Any] = _without_results(document)

    for audio, status in ((clip(0), "Success"), (clip(0, seconds=2), "Fail")):
        accepted = await rc.enroll(f"s{status}", audio, webhook=receiver.url)
        assert accepted.status == 202
        assert faults(document, accepted_schema, accepted.body) == []
        _, told = await receiver.next()
        looked_up = await rc.job(accepted.body["jobId"])
        assert told == looked_up.body
        assert told["status"] == status
        assert faults(document, base, told) == []
        result = "EnrollmentStatus" if status == "Success" else "CaiErrorResponse"
        assert faults(document, document["components"]["schemas"][result], told["response"]) == []

    unknown = await rc.job(str(uuid.uuid4()))
    schema = response_schema(document, JOBS, "get", 404)
    assert schema is not None
    assert (unknown.status, faults(document, schema, unknown.body)) == (404, [])


async def test_identification_fits_the_specification(rc: Rc) -> None:
    document = spec("2022-12-01-docs-8f3232f2.json")
    path = "/ai/audio/v1/speaker-identify"
    await rc.enroll("a", clip(0, seconds=20))
    for ids, status in ((["a"], 200), (["nobody"], 400)):
        answer = await rc.call("POST", path, json={"enrollmentIds": ids, **sample(clip(3))})
        schema = response_schema(document, path, "post", status)
        assert schema is not None
        assert (answer.status, faults(document, schema, answer.body)) == (status, [])


def _without_results(document: dict[str, Any]) -> dict[str, Any]:
    """The envelope of JobStatusResponse: its list of results knows none for enrollments."""
    envelope: dict[str, Any] = document["components"]["schemas"]["JobStatusResponse"]["allOf"][0]
    return envelope


def test_the_check_itself_finds_faults() -> None:
    document = spec("2025-09-23-e87a020.ai.json")
    schema = document["components"]["schemas"]["ListEnrolledSpeakers"]
    good = {"speakerId": "a", "enrollmentComplete": True, "totalSpeechDuration": 1}
    paging = {"page": 1, "perPage": 1, "totalPages": 1}
    assert faults(document, schema, {"paging": paging, "records": [good]}) == []
    for wrong in ({"enrollmentComplete": "True"}, {"totalSpeechDuration": True}, {"enrollmentQuality": "Fine"}):
        assert len(faults(document, schema, {"paging": paging, "records": [good | wrong]})) == 1
    assert faults(document, schema, {"paging": {"page": 1.5}, "records": [{}]}) != []
