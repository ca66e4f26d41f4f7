"""What the engine answers and calls back validates against every published generation of the contract.

The engine lives through all there is once per profile and manner of spelling ids; then each of its answers is held
against each specification that describes such a call, and each status that a specification describes has to have
been answered.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from config.settings import Settings
from tests.support.engine import ENROLLMENTS, Answer, Rc, Receiver, receiving, running_engine, sample
from tests.support.specs import body_schema, callback_schema, faults, names, operations, spec
from tests.support.speech import said, speakers, wav

IDENTIFY, DIARIZE = "/ai/audio/v1/async/speaker-identify", "/ai/audio/v1/async/speaker-diarize"
IDENTIFY_NOW = "/ai/audio/v1/speaker-identify"
JOBS = "/ai/status/v1/jobs"
RENAMED = "2023-12-10"  # from here on the specifications say speakerId
RESULTS = {IDENTIFY: "SpeakerIdentificationObject", DIARIZE: "DiarizedObject", ENROLLMENTS: "EnrollmentStatus"}
BEYOND = {("post", ENROLLMENTS, 202), ("patch", f"{ENROLLMENTS}/{{}}", 202)}  # no specification has such jobs
NEVER = {("post", IDENTIFY_NOW, 500)}  # the engine's own failure, which can't be asked for


@dataclass
class Life:
    """All that an engine answered: verb, path with unnamed parameters, answer; and what it called back."""

    rc: Rc
    receiver: Receiver
    id_name: str
    answers: list[tuple[str, str, Answer]] = field(default_factory=list)
    callbacks: list[Any] = field(default_factory=list)

    async def call(self, method: str, path: str, **request: Any) -> Answer:
        answer = await self.rc.call(method, path, **request)
        template = re.sub(rf"^({ENROLLMENTS}|{JOBS})/.+$", r"\1/{}", path)
        self.answers.append((method.lower(), template, answer))
        return answer

    async def enroll(self, speaker_id: str, audio: bytes, **more: Any) -> Answer:
        body = {self.id_name: speaker_id, **sample(audio)}
        return await self.call("POST", ENROLLMENTS, json=body, **more)

    async def order(self, method: str, path: str, **body: Any) -> None:
        """A job: accepted, called back, looked up."""
        accepted = await self.call(method, path, json=body, params={"webhook": self.receiver.url})
        assert accepted.status == 202
        request, told = await self.receiver.next()
        assert request.headers["RCRequestId"]
        looked_up = await self.call("GET", f"{JOBS}/{accepted.body['jobId']}")
        assert looked_up.body["api"] == path
        assert told in (looked_up.body, looked_up.body["response"])
        self.callbacks.append((path, told, looked_up.body))


def clip(number: int, *, seconds: float = 7.0) -> bytes:
    return wav(said(min(speakers()), seconds=seconds, skip=number))


@asynccontextmanager
async def living(settings: Settings, *, profile: str, strict: bool, id_name: str) -> AsyncIterator[Life]:
    engine = settings.engine.model_copy(update={"strict": strict})
    changed = settings.model_copy(update={"profile": profile, "engine": engine})
    async with running_engine(changed) as rc, receiving() as receiver:
        yield Life(rc, receiver, id_name)


async def lived(life: Life) -> None:
    """Everything that the contract knows, good and bad."""
    one, ids = f"{ENROLLMENTS}/a", life.id_name + "s"
    talk = wav(np.concatenate([said(who, seconds=8, skip=4) for who in sorted(speakers())[:2]]))
    await life.enroll("a", clip(0, seconds=20))
    await life.enroll("a", clip(1))
    await life.enroll("b", clip(0, seconds=2))
    await life.enroll("no id!", clip(0))
    await life.call("PATCH", one, json=sample(clip(2)))
    await life.call("PATCH", one, json=sample(clip(2)))
    await life.call("PATCH", f"{ENROLLMENTS}/b", json=sample(clip(2)))
    for path in (one, f"{ENROLLMENTS}/b", f"{ENROLLMENTS}/no-id"):
        await life.call("GET", path)
    for page in ("1", "0"):
        await life.call("GET", ENROLLMENTS, params={"partial": "true", "perPage": "100", "page": page})
    for named in (["a"], ["nobody"]):
        await life.call("POST", IDENTIFY_NOW, json={ids: named, **sample(talk)})
    for path in (IDENTIFY, DIARIZE):
        await life.call("POST", path, json={ids: ["nobody"], **sample(talk)})
        for audio in (talk, b"no audio"):
            await life.order("POST", path, **{ids: ["a"], **sample(audio)})
    await life.order("POST", ENROLLMENTS, **{life.id_name: "c", **sample(clip(3))})
    await life.order("POST", ENROLLMENTS, **{life.id_name: "d", **sample(clip(3, seconds=2))})
    await life.order("PATCH", f"{ENROLLMENTS}/c", **sample(clip(4)))
    for job in ("6f1d4f6e-0000-11ed-8000-000000000000", "17"):
        await life.call("GET", f"{JOBS}/{job}")
    for path in (f"{ENROLLMENTS}/b", f"{ENROLLMENTS}/no-id", one, one):
        await life.call("DELETE", path)


@pytest.mark.parametrize(
    ("profile", "strict", "id_name"),
    [
        ("2022", False, "enrollmentId"),
        ("2024", False, "speakerId"),
        ("2022", True, "speakerId"),
        ("2024", True, "enrollmentId"),
    ],
)
async def test_all_that_is_answered_fits_every_generation(
    settings: Settings, *, profile: str, strict: bool, id_name: str
) -> None:
    if not names():
        pytest.skip("no specifications: put them beside the checkout")
    async with living(settings, profile=profile, strict=strict, id_name=id_name) as life:
        await asyncio.wait_for(lived(life), 100)
    generations = [name for name in names() if not strict or (name < RENAMED) == (profile == "2022")]
    assert len(generations) >= 3
    for name in generations:
        _check(spec(name), life)


def _check(document: dict[str, Any], life: Life) -> None:
    schemas = document["components"]["schemas"]
    described = {(verb, path): operation for verb, path, operation in operations(document)}
    seen = {(verb, path, answer.status) for verb, path, answer in life.answers}
    for verb, path, answer in life.answers:
        operation = described.get((verb, path))
        if operation is None or (verb, path, answer.status) in BEYOND:
            continue
        assert str(answer.status) in operation["responses"], (verb, path, answer)
        if path == f"{JOBS}/{{}}" and answer.status == 200:
            continue  # the envelope is looked at below: the list of results knows none for enrollments
        schema = body_schema(document, operation["responses"][str(answer.status)])
        if schema is None:
            assert answer.status == 202 or answer.body == b"", (verb, path, answer)
        else:
            assert faults(document, schema, answer.body) == [], (verb, path, answer)
    for api, told, job in life.callbacks:
        kind = ENROLLMENTS if api.startswith(ENROLLMENTS) else api
        result = RESULTS[kind] if job["status"] == "Success" else "CaiErrorResponse"
        assert faults(document, schemas.get(result) or schemas.get("ErrorResponse", {}), job["response"]) == []
        if "JobStatusResponse" in schemas:
            envelope = schemas["JobStatusResponse"]
            envelope = envelope["allOf"][0] if kind == ENROLLMENTS else envelope
            assert faults(document, envelope, job) == [], job
        if ("post", kind) in described and kind != ENROLLMENTS:
            assert faults(document, callback_schema(document, described["post", kind]) or {}, told) == [], told
    served = {(verb, path) for verb, path, _ in life.answers}
    owed = {(*one, int(status)) for one in served & set(described) for status in described[one]["responses"]}
    assert len(owed) >= 5, owed  # the last generations know diarization and jobs alone
    assert owed - seen - NEVER == set()


async def test_callbacks_of_2022_are_bare_and_of_2024_enveloped(settings: Settings) -> None:
    for profile, is_bare in (("2022", True), ("2024", False)):
        async with living(settings, profile=profile, strict=False, id_name="enrollmentId") as life:
            await life.order("POST", ENROLLMENTS, enrollmentId=f"p{profile}", **sample(clip(0)))
            await life.order("POST", DIARIZE, **sample(clip(0)))
        (_, enrolled, _), (_, diarized, _) = life.callbacks
        assert ("jobId" not in enrolled) is is_bare
        assert "jobId" in diarized


def test_the_check_itself_finds_faults() -> None:
    document = spec("2025-09-23-e87a020.ai.json")
    schema = document["components"]["schemas"]["ListEnrolledSpeakers"]
    good = {"speakerId": "a", "enrollmentComplete": True, "totalSpeechDuration": 1}
    paging = {"page": 1, "perPage": 1, "totalPages": 1}
    assert faults(document, schema, {"paging": paging, "records": [good]}) == []
    for wrong in ({"enrollmentComplete": "True"}, {"totalSpeechDuration": True}, {"enrollmentQuality": "Fine"}):
        assert len(faults(document, schema, {"paging": paging, "records": [good | wrong]})) == 1
    assert faults(document, schema, {"paging": {"page": 1.5}, "records": [{}]}) != []
    assert len(faults(document, {"type": "string", "format": "date-time"}, "yesterday")) == 1
