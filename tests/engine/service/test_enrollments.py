"""The life of enrollments over HTTP: what the contract promises, and what it says when it doesn't."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from config.settings import Settings
from tests.support.engine import ENROLLMENTS, Rc, running_engine, sample
from tests.support.speech import wav

Clip = Callable[..., bytes]


async def test_enrolled_grown_erased_and_enrolled_again(rc: Rc, clip: Clip) -> None:
    first = await rc.enroll("a_1", clip(0, 0))
    assert first.status == 201
    assert first.body["speakerId"] == first.body["enrollmentId"] == "a_1"
    assert first.body["totalEnrollDuration"] == pytest.approx(8.0)
    assert 4 < first.body["totalSpeechDuration"] <= 8.3
    assert first.body["enrollmentComplete"] is False

    grown = await rc.add("a_1", clip(0, 2, seconds=10))
    assert grown.status == 201
    assert grown.body["totalEnrollDuration"] == pytest.approx(18.0)
    assert grown.body["enrollmentComplete"] is (grown.body["totalSpeechDuration"] >= 12.0)
    assert (await rc.get("a_1")).body == grown.body

    assert (await rc.delete("a_1")).status == 204
    assert (await rc.get("a_1")).status == 404
    assert (await rc.delete("a_1")).status == 410
    assert (await rc.add("a_1", clip(0, 0))).code == "not_enrolled"
    assert (await rc.listing(partial="true")).body["records"] == []

    again = await rc.enroll("a_1", clip(0, 0))
    assert (again.status, again.body) == (201, first.body)


async def test_unknown_and_existing(rc: Rc, clip: Clip) -> None:
    assert (await rc.get("nobody")).status == 404
    assert (await rc.delete("nobody")).status == 404
    assert (await rc.add("nobody", clip())).status == 404
    assert (await rc.enroll("a", clip())).status == 201
    twice = await rc.enroll("a", clip(0, 1))
    assert (twice.status, twice.code) == (409, "enrollment_exists")


async def test_exact_duplicate_is_refused(rc: Rc, clip: Clip) -> None:
    before = await rc.enroll("a", clip())
    twice = await rc.add("a", clip())
    assert (twice.status, twice.code, twice.error["parameterName"]) == (400, "duplicate_sample", "content")
    assert (await rc.get("a")).body == before.body


@pytest.mark.parametrize(("seconds", "code"), [(3.0, "too_short"), (31.0, "too_long")])
async def test_wrong_length_is_refused_with_measure_and_limit(rc: Rc, clip: Clip, seconds: float, code: str) -> None:
    answer = await rc.enroll("a", clip(0, 0, seconds=seconds))
    assert (answer.status, answer.code, answer.error["errorCode"]) == (400, code, "CAI-101")
    assert answer.error["parameterName"] == "content"
    assert str(round(seconds)) in answer.error["message"]
    assert (await rc.get("a")).status == 404


async def test_silence_and_noise_are_no_speech(rc: Rc) -> None:
    silent = await rc.enroll("a", wav(np.zeros(10 * 16000, np.float32)))
    assert (silent.status, silent.code) == (400, "silent")
    hiss = np.random.default_rng(1).normal(0, 0.05, 10 * 16000).astype(np.float32)
    noise = await rc.enroll("a", wav(hiss))
    assert (noise.status, noise.code) == (400, "speech_too_short")
    text = await rc.enroll("a", b"this is no audio at all, whatever the encoding says")
    assert (text.status, text.code) == (400, "not_audio")


async def test_base64_with_line_breaks_and_a_wrong_encoding_are_understood(rc: Rc, clip: Clip) -> None:
    body = {"enrollmentId": "a", "encoding": "Webp", "content": base64.encodebytes(clip()).decode()}
    answer = await rc.call("POST", ENROLLMENTS, json=body)
    assert (answer.status, answer.body["speakerId"]) == (201, "a")


GOOD = {"speakerId": "a", **sample(b"RIFF")}


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"speakerId": "a-b"}, "speakerId"),
        ({"speakerId": ""}, "speakerId"),
        ({"speakerId": 7}, "speakerId"),
        ({"speakerId": "ä"}, "speakerId"),
        ({"speakerId": None}, "speakerId"),
        ({"speakerId": ..., "enrollmentId": "a b"}, "enrollmentId"),
        ({"enrollmentId": "b"}, "speakerId"),
        ({"encoding": "wav"}, "encoding"),
        ({"encoding": ...}, "encoding"),
        ({"languageCode": 5}, "languageCode"),
        ({"content": "not base64!"}, "content"),
        ({"content": "QUJ"}, "content"),
        ({"content": ..., "contentUri": "https://example.com/a.wav"}, "content"),
    ],
)
async def test_each_bad_parameter_is_named(deaf: Rc, change: dict[str, Any], parameter: str) -> None:
    body = {name: value for name, value in (GOOD | change).items() if value is not ...}
    answer = await deaf.call("POST", ENROLLMENTS, json=body)
    assert (answer.status, answer.error["errorCode"]) == (400, "CAI-101")
    assert answer.error["parameterName"] == parameter


async def test_bodies_that_are_no_object(deaf: Rc) -> None:
    for body in (b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000):
        answer = await deaf.call("POST", ENROLLMENTS, data=body)
        assert (answer.status, answer.code) == (400, "invalid_body")


async def test_list_pages_through_complete_and_partial(rc: Rc, clip: Clip) -> None:
    for number in range(5):
        seconds = 22.0 if number % 2 == 0 else 7.0
        assert (await rc.enroll(f"s{number}", clip(number, 0, seconds=seconds))).status == 201

    def ids(answer: Any) -> list[str]:
        return [record["speakerId"] for record in answer.body["records"]]

    complete = await rc.listing()
    assert complete.body["paging"] == {"page": 1, "totalPages": 1, "perPage": 100}
    assert ids(complete) == ["s0", "s2", "s4"]
    assert all(record["enrollmentComplete"] for record in complete.body["records"])
    pages = [await rc.listing(partial="True", perPage="2", page=str(page)) for page in (1, 2, 3, 4)]
    assert [ids(page) for page in pages] == [["s0", "s1"], ["s2", "s3"], ["s4"], []]
    assert {page.body["paging"]["totalPages"] for page in pages} == {3}
    await rc.delete("s0")
    assert ids(await rc.listing(perPage="1")) == ["s2"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("partial", "maybe"), ("perPage", "0"), ("perPage", "1001"), ("page", "0"), ("page", "-1"), ("page", "1e3")],
)
async def test_list_refuses_bad_parameters(deaf: Rc, name: str, value: str) -> None:
    answer = await deaf.listing(**{name: value})
    assert (answer.status, answer.error["parameterName"]) == (400, name)


async def test_too_large_a_body_is_refused(settings: Settings) -> None:
    small = settings.model_copy(update={"engine": settings.engine.model_copy(update={"max_body_bytes": 100_000})})
    async with running_engine(small, hears=False) as rc:
        answer = await rc.enroll("a", b"\0" * 200_000)
        assert (answer.status, answer.code) == (413, "body_too_large")
        assert "0.1 MiB allowed" in answer.error["message"]

        async def drip() -> Any:
            for _ in range(30):
                yield b" " * 10_000

        chunked = await rc.call("POST", ENROLLMENTS, data=drip())
        assert (chunked.status, chunked.code) == (413, "body_too_large")


async def test_every_answer_carries_a_request_id(deaf: Rc) -> None:
    answers = [await deaf.get("nobody"), await deaf.listing(), await deaf.call("GET", "/nowhere")]
    assert len({answer.headers["RCRequestId"] for answer in answers}) == 3
    assert (answers[2].status, answers[2].body["errorCode"]) == (404, "CMN-120")
    assert (await deaf.call("PUT", ENROLLMENTS)).status == 405


async def test_while_the_models_load_it_answers_503_and_says_so(deaf: Rc, clip: Clip) -> None:
    answer = await deaf.enroll("a", clip())
    ready = await deaf.call("GET", "/readyz")
    if answer.status == 201:
        pytest.skip("the models were loaded before the first request was read")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "not_ready", "2")
    assert (await deaf.call("GET", "/healthz")).status == 200
    assert ready.status == 200 or "loading model" in ready.body["status"]
