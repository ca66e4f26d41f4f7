"""The body of a callback: both styles are read, whatever else is in them, and nothing raises but what is announced."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.callback import EnrollmentStatus, ErrorBody, parse
from worker.enrollment.errors import RequestError

STATUS = {"speakerId": "anna", "enrollmentComplete": True, "totalSpeechDuration": 14.2, "unknown": {"more": []}}
FAILURE = {"errors": [{"errorCode": "CAI-101", "message": "too_short: 4 s", "parameterName": "content"}]}

leaves = st.none() | st.booleans() | st.floats() | st.text(max_size=20)
values = st.recursive(leaves, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some))


@pytest.mark.parametrize(
    "body",
    [
        STATUS,
        STATUS | {"status": None},
        {"enrollmentId": "anna"} | {name: value for name, value in STATUS.items() if name != "speakerId"},
        {"jobId": "j", "status": "Success", "response": STATUS, "api": "/ai", "creationTime": "2026-11-21T10:00:00Z"},
    ],
    ids=["bare", "bare with an empty status", "old spelling", "envelope"],
)
def test_a_result_is_read_in_every_style(body: dict[str, Any]) -> None:
    read = parse(json.dumps(body).encode())
    assert isinstance(read, EnrollmentStatus)
    assert (read.speaker_id, read.speech_s, read.complete) == ("anna", 14.2, True)


def test_a_failure_tells_its_reason() -> None:
    read = parse(json.dumps({"status": "Fail", "response": FAILURE}).encode())
    assert isinstance(read, ErrorBody)
    assert read.reason() == ("too_short", "4 s")


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused_with_a_code(body: bytes) -> None:
    try:
        assert isinstance(parse(body), EnrollmentStatus | ErrorBody)
    except RequestError as error:
        assert error.code in {"callback_not_json", "callback_unreadable"}  # noqa: PT017 -- most bodies are refused


@given(status=st.sampled_from(["Success", "Fail", None]), response=values, rest=st.dictionaries(st.text(), values))
def test_no_envelope_breaks_it(status: str | None, response: Any, rest: dict[str, Any]) -> None:
    body = json.dumps(rest | {"status": status, "response": response}).encode()
    try:
        assert isinstance(parse(body), EnrollmentStatus | ErrorBody)
    except RequestError as error:
        assert error.code in {"callback_not_json", "callback_unreadable"}  # noqa: PT017 -- most bodies are refused
