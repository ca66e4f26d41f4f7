"""Where the published generations of the contract contradict each other: what the engine does, row by row.

The rows of CONTRACT.md, section 9, and its list for engines; what other files try out more thoroughly is named there.
"""

import base64
import re
from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from engine.service import keys
from tests.support.engine import ENROLLMENTS, Answer, Rc, Receiver, receiving, running_engine, sample
from tests.support.speech import said, speakers, wav

_WEEK_MS = 7 * 86_400_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(params=["2022", "2024"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def rc(settings: Settings, profile: str) -> AsyncIterator[Rc]:
    async with running_engine(settings.model_copy(update={"profile": profile})) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


def clip(number: int = 0, *, seconds: float = 8.0) -> bytes:
    return wav(said(min(speakers()), seconds=seconds, skip=number))


async def test_1_bounds_of_a_clip_pass_and_what_is_beyond_does_not(rc: Rc) -> None:
    for seconds, status in ((5.9, 400), (6.0, 201), (30.0, 201), (30.1, 400)):
        answer = await rc.enroll(f"s{round(seconds * 100)}", clip(seconds=seconds))
        assert answer.status == status, (seconds, answer)


async def test_2_3_without_a_webhook_the_result_with_one_a_job(rc: Rc, receiver: Receiver, profile: str) -> None:
    now = await rc.enroll("a", clip())
    assert (now.status, now.body["totalEnrollDuration"]) == (201, 8.0)
    for name in ("webhook", "webhookUrl"):
        later = await rc.enroll(f"by_{name}", clip(), **{name: receiver.url})
        _, told = await receiver.next()
        assert (later.status, list(later.body)) == (202, ["jobId"])
        assert ("jobId" in told) is (profile == "2024")
    failed = await rc.enroll("b", clip(seconds=2), webhook=receiver.url)
    _, told = await receiver.next()
    assert (told["jobId"], told["status"]) == (failed.body["jobId"], "Fail")  # enveloped in both


async def test_4_only_2022_gives_ids_and_only_by_callback(rc: Rc, receiver: Receiver, profile: str) -> None:
    async def enroll(number: int, *, key: str | None = None, **params: str) -> Answer:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await rc.call("POST", ENROLLMENTS, json=sample(clip(number)), params=params, headers=headers)

    refused = await enroll(0)
    assert (refused.status, refused.error["parameterName"]) == (400, "speakerId")
    answers = [await enroll(number, key=key, webhook=receiver.url) for number, key in ((0, None), (2, "k"), (2, "k"))]
    if profile == "2024":
        assert {answer.status for answer in answers} == {400}
        return
    assert {answer.status for answer in answers} == {202}
    ids = [(await receiver.next())[1]["enrollmentId"] for _ in answers]
    assert len(set(ids)) == 2  # the repeated key made no third speaker
    assert all([(await rc.get(one)).status == 200 for one in ids])


@pytest.mark.parametrize("strict", [False, True])
async def test_5_both_spellings_are_read_and_told_or_one_alone(
    settings: Settings, profile: str, *, strict: bool
) -> None:
    engine = settings.engine.model_copy(update={"strict": strict})
    own = "enrollmentId" if profile == "2022" else "speakerId"
    async with running_engine(settings.model_copy(update={"profile": profile, "engine": engine})) as rc:
        for name in ("speakerId", "enrollmentId"):
            made = await rc.call("POST", ENROLLMENTS, json={name: f"by_{name}", **sample(clip())})
            listed = (await rc.listing(partial="true")).body["records"][-1]
            for body in (made.body, (await rc.get(f"by_{name}")).body, listed):
                told = body.keys() & {"speakerId", "enrollmentId"}
                assert told == ({own} if strict else {"speakerId", "enrollmentId"})
        differing = {"speakerId": "x", "enrollmentId": "y", **sample(clip())}
        assert (await rc.call("POST", ENROLLMENTS, json=differing)).status == 400


async def test_6_7_samples_add_up_but_none_counts_twice(rc: Rc) -> None:
    await rc.enroll("a", clip())
    assert (await rc.enroll("a", clip(2))).status == 409
    assert (await rc.add("a", clip())).code == "duplicate_sample"
    grown = await rc.add("a", clip(2))
    assert (grown.status, grown.body["totalEnrollDuration"]) == (201, 16.0)


async def test_8_10_complete_from_twelve_seconds_of_speech_on_as_a_boolean(rc: Rc) -> None:
    first = (await rc.enroll("a", clip())).body
    grown = (await rc.add("a", clip(2, seconds=12))).body
    for body in (first, grown):
        assert body["enrollmentComplete"] is (body["totalSpeechDuration"] >= 12.0)
    assert (first["enrollmentComplete"], grown["enrollmentComplete"]) == (False, True)


async def test_9_who_can_not_be_told_is_said_at_once(rc: Rc) -> None:
    await rc.enroll("short", clip())
    for path in ("speaker-identify", "async/speaker-identify", "async/speaker-diarize"):
        for one in ("short", "nobody"):
            answer = await rc.call("POST", f"/ai/audio/v1/{path}", json={"speakerIds": [one], **sample(clip())})
            assert (answer.status, answer.error["errorCode"]) == (400, "CAI-101")
            assert answer.error["parameterName"] == "speakerIds"
            assert one in answer.error["message"]


async def test_deletion_tells_404_204_410_and_the_id_is_free_again(rc: Rc) -> None:
    assert (await rc.delete("a")).status == 404
    await rc.enroll("a", clip())
    assert [(await rc.delete("a")).status for _ in range(2)] == [204, 410]
    assert (await rc.enroll("a", clip())).status == 201


async def test_the_list_has_defaults_and_one_page_when_it_is_empty(rc: Rc) -> None:
    empty = await rc.listing()
    assert empty.body == {"paging": {"page": 1, "perPage": 100, "totalPages": 1}, "records": []}
    await rc.enroll("a", clip())
    assert [len((await rc.listing(**query)).body["records"]) for query in ({}, {"partial": "True"})] == [0, 1]


async def test_base64_may_have_line_breaks_and_the_encoding_is_not_believed(rc: Rc) -> None:
    content = base64.encodebytes(clip()).decode()
    body = {"speakerId": "a", "encoding": "Mpeg", "content": content, "enableWordTimings": True}
    assert (await rc.call("POST", ENROLLMENTS, json=body)).status == 201


async def test_jobs_tell_their_times_and_are_kept_for_a_week(
    rc: Rc, receiver: Receiver, redis: ArqRedis, settings: Settings
) -> None:
    accepted = await rc.enroll("a", clip(), webhook=receiver.url)
    await receiver.next()
    job = (await rc.job(accepted.body["jobId"])).body
    assert all(_TIME.fullmatch(job[f"{name}Time"]) for name in ("creation", "completion", "expiration"))
    left_ms = await redis.pttl(keys.job(settings.account, job["jobId"]))
    assert _WEEK_MS - 120_000 < left_ms <= _WEEK_MS
    await redis.delete(keys.job(settings.account, job["jobId"]))  # as its end will
    assert (await rc.job(job["jobId"])).status == 404
