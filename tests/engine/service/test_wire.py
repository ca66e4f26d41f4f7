"""Readers of requests: any bytes at all are read or refused in the contract's words."""

import base64
import json
from collections.abc import Callable
from typing import TypeVar

from hypothesis import given as with_any
from hypothesis import strategies as st

from engine.service import wire
from engine.service.failure import ApiError

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("speakerId", "enrollmentId", "speakerIds", "enrollmentIds", "content", "contentUri", "encoding"),
        *("languageCode", "source", "audioType", "speakerCount", "separateSpeakerPerChannel"),
    ]
)
QUERY = ["partial", "perPage", "page", "webhook", "webhookUrl"]
Given = TypeVar("Given")


def refusal(read: Callable[[Given], object], given: Given) -> ApiError | None:
    """What a reader says against it; any other exception passes through and fails the test."""
    try:
        read(given)
    except ApiError as error:
        return error
    return None


@with_any(st.one_of(st.binary(), st.dictionaries(NAMES, JSON, max_size=6).map(lambda body: json.dumps(body).encode())))
def test_any_body_is_read_or_refused(raw: bytes) -> None:
    for read in (wire.read_sample, wire.read_sync_identify, wire.read_identify, wire.read_diarize):
        error = refusal(read, raw)
        assert error is None or (error.status == 400 and error.parameter)


@with_any(st.dictionaries(st.sampled_from(QUERY), st.text()))
def test_any_query_is_read_or_refused(query: dict[str, str]) -> None:
    for read in (wire.read_list, wire.read_webhook):
        error = refusal(read, query)
        assert error is None or (error.status == 400 and error.parameter in QUERY)


@with_any(st.binary(max_size=300), st.integers(1, 80))
def test_base64_may_be_broken_into_lines(audio: bytes, width: int) -> None:
    text = base64.b64encode(audio).decode()
    lines = "\r\n ".join(text[at : at + width] for at in range(0, len(text), width))
    body = {"enrollmentId": "a", "encoding": "Webp", "content": lines}
    read = wire.read_sample(json.dumps(body).encode())
    assert (read.media, read.speaker_id, read.parameter) == (audio, "a", "enrollmentId")
