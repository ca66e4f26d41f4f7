"""What the API says becomes the right fact; what it doesn't say is never guessed."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.provider import Provider
from tests.support.serving import serving
from tests.support.workshop import content_of, prepared, workshop
from worker.api.governor import Turn
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import SpeakerErased
from worker.enrollment.record import Attempt, AttemptOutcome, Record, RecordingId, SpeakerId, Verb, Via
from worker.enrollment.states import SampleState, sample_state
from worker.enrollment.steps import LookUp, Park, Submit, next_steps, next_verb
from worker.reconcile import look_through, look_up, reconcile
from worker.store.journal import Arrived
from worker.submit import submit
from worker.sweep import sweep
from worker.workshop import Workshop

WHO, FIRST, SECOND = SpeakerId("anna"), RecordingId("r1"), RecordingId("r2")


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def shop(settings: Settings, provider: Provider) -> AsyncIterator[Workshop]:
    """A workshop whose API honours no Idempotency-Key."""
    async with serving(provider.app()) as url:
        api = settings.api.model_copy(update={"base_url": url})
        async with workshop(settings.model_copy(update={"api": api})) as one:
            yield one


@pytest.fixture
async def honouring(settings: Settings, provider: Provider) -> AsyncIterator[Workshop]:
    """A workshop whose API says that it honours the key."""

    async def say(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Idempotency-Key-Honoured"] = "true"

    app = provider.app()
    app.on_response_prepare.append(say)
    async with serving(app) as url:
        api = settings.api.model_copy(update={"base_url": url})
        async with workshop(settings.model_copy(update={"api": api})) as one:
            yield one


def later(shop: Workshop, **length: float) -> Workshop:
    """The same workshop at a later time."""
    now = shop.now
    return replace(shop, now=lambda: now() + timedelta(**length))


async def record_of(shop: Workshop, speaker_id: SpeakerId = WHO) -> Record:
    return (await shop.store.get(speaker_id)).record


async def submitted(shop: Workshop, *, speaker_id: SpeakerId = WHO, recording_id: RecordingId = FIRST) -> Attempt:
    """An attempt that was made and has no answer yet."""
    await prepared(shop, speaker_id, recording_id)
    await submit(shop, speaker_id)
    attempt = (await record_of(shop, speaker_id)).sample(recording_id).open_attempt
    assert attempt is not None
    return attempt


async def enrolled(shop: Workshop, provider: Provider) -> None:
    """A first sample that counts, so that the next one is a PATCH."""
    attempt = await submitted(shop)
    provider.work(0)
    assert await look_up(shop, WHO, FIRST, attempt.attempt_id) == "answered"


async def called_back(shop: Workshop, attempt: Attempt, body: dict[str, Any]) -> str:
    """Journal a callback and reconcile it."""
    arrived = Arrived(1, WHO, FIRST, attempt.attempt_id, b"", json.dumps(body).encode())
    await shop.journal.write([arrived], now=shop.now())
    (callback,) = await shop.journal.page(before=None, limit=1)
    return await reconcile(shop, callback.callback_id)


def failed(code: str) -> dict[str, Any]:
    return {"jobId": "j", "status": "Fail", "response": {"errors": [{"errorCode": "X-1", "message": f"{code}: why"}]}}


@pytest.mark.parametrize(
    ("code", "verb"),
    [
        ("not_enrolled", Verb.POST),
        ("enrollment_exists", Verb.PATCH),
        ("internal", Verb.POST),
        ("not_ready", Verb.POST),
        ("store_away", Verb.POST),
    ],
)
async def test_a_failure_that_says_nothing_of_the_sample_is_tried_again_by_the_right_call(
    shop: Workshop, code: str, verb: Verb
) -> None:
    attempt = await submitted(shop)
    assert await called_back(shop, attempt, failed(code)) == AttemptOutcome.NOT_APPLIED
    record = await record_of(shop)
    (step,) = next_steps(record, now=shop.now(), policy=shop.policy)
    assert isinstance(step, Submit)
    assert next_verb(record, record.sample(FIRST)) is verb


@pytest.mark.parametrize("code", ["too_short", "duplicate_sample", "too_many_samples", "other_model", "no_speech"])
async def test_any_other_failure_refuses_the_sample(shop: Workshop, code: str) -> None:
    attempt = await submitted(shop)
    assert await called_back(shop, attempt, failed(code)) == AttemptOutcome.REFUSED
    record = await record_of(shop)
    assert sample_state(record.sample(FIRST)) is SampleState.REFUSED
    assert next_steps(record, now=shop.now(), policy=shop.policy) == ()


@pytest.mark.parametrize("code", ["not_enrolled", "internal"])
async def test_an_update_that_finds_no_enrollment_becomes_a_creation_again(
    shop: Workshop, provider: Provider, code: str
) -> None:
    await enrolled(shop, provider)
    attempt = await submitted(shop, recording_id=SECOND)
    assert attempt.verb is Verb.PATCH
    provider.results[str(attempt.job_id)] = {"status": "Fail", "response": failed(code)["response"]}
    assert await look_up(shop, WHO, SECOND, attempt.attempt_id) == "answered"
    record = await record_of(shop)
    assert next_verb(record, record.sample(SECOND)) is (Verb.POST if code == "not_enrolled" else Verb.PATCH)


async def test_a_callback_of_another_speaker_changes_nothing(shop: Workshop) -> None:
    attempt = await submitted(shop)
    before = await record_of(shop)
    status = {"speakerId": "ben", "enrollmentComplete": True, "totalSpeechDuration": 14, "totalEnrollDuration": 15}
    assert await called_back(shop, attempt, status) == "callback_mismatched"
    assert await record_of(shop) == before


async def test_a_job_that_is_under_way_is_waited_for(shop: Workshop) -> None:
    attempt = await submitted(shop)
    assert await look_up(shop, WHO, FIRST, attempt.attempt_id) == "pending"
    assert (await record_of(shop)).sample(FIRST).open_attempt == attempt


async def test_a_job_that_ended_tells(shop: Workshop, provider: Provider) -> None:
    attempt = await submitted(shop)
    provider.work(0)
    assert await look_up(shop, WHO, FIRST, attempt.attempt_id) == "answered"
    answer = (await record_of(shop)).sample(FIRST).attempts[0].answer
    assert answer is not None
    assert (answer.outcome, answer.via) == (AttemptOutcome.APPLIED, Via.LOOKUP)
    assert await look_up(shop, WHO, FIRST, attempt.attempt_id) == "no_news"


async def test_where_the_job_is_unknown_the_sums_tell(shop: Workshop, provider: Provider) -> None:
    attempt = await submitted(shop)
    provider.work(0)
    provider.knows_jobs = False
    provider.results.clear()
    assert await look_up(shop, WHO, FIRST, attempt.attempt_id) == "answered"
    assert sample_state((await record_of(shop)).sample(FIRST)) is SampleState.APPLIED


async def test_an_update_without_a_trace_is_not_repeated_on_a_guess(shop: Workshop, provider: Provider) -> None:
    """The answer was lost; the API took the sample and applies it an hour later."""
    await enrolled(shop, provider)
    provider.manner = "accept_cut"
    attempt = await submitted(shop, recording_id=SECOND)
    for minutes in (3, 10, 60):
        then = later(shop, minutes=minutes)
        assert await look_up(then, WHO, SECOND, attempt.attempt_id) == "unclear"
        steps = next_steps(await record_of(shop), now=then.now(), policy=shop.policy)
        assert [type(step) for step in steps] == [LookUp]
    provider.work(0)
    assert await look_up(later(shop, minutes=61), WHO, SECOND, attempt.attempt_id) == "answered"
    assert provider.enrolled[WHO] == [content_of(WHO, FIRST), content_of(WHO, SECOND)]


async def test_an_attempt_that_nothing_tells_of_is_set_aside_with_its_evidence(
    shop: Workshop, provider: Provider
) -> None:
    await enrolled(shop, provider)
    provider.manner = "cut"
    await submitted(shop, recording_id=SECOND)
    then = later(shop, hours=24, seconds=1)
    (step,) = next_steps(await record_of(shop), now=then.now(), policy=shop.policy)
    assert isinstance(step, Park)
    assert "15.0 s before the attempt" in step.message
    assert "15.0 s long" in step.message
    assert await sweep(then) == "1 looked at"
    assert sample_state((await record_of(shop)).sample(SECOND)) is SampleState.PARKED
    assert provider.enrolled[WHO] == [content_of(WHO, FIRST)]


async def test_an_api_that_honours_the_key_is_asked_again(honouring: Workshop, provider: Provider) -> None:
    await enrolled(honouring, provider)
    provider.manner = "cut"
    attempt = await submitted(honouring, recording_id=SECOND)
    then = later(honouring, minutes=3)
    assert await look_up(then, WHO, SECOND, attempt.attempt_id) == "answered"
    (step,) = next_steps(await record_of(honouring), now=then.now(), policy=honouring.policy)
    assert isinstance(step, Submit)


async def test_an_answer_that_was_waited_for_leaves_nothing_under_way(shop: Workshop, provider: Provider) -> None:
    """Without callbacks the API has done with a sample when its answer was lost: no trace means not applied."""
    api = shop.settings.api.model_copy(update={"callbacks": False})
    waiting = replace(shop, settings=shop.settings.model_copy(update={"api": api}))
    provider.manner = "fail"
    attempt = await submitted(waiting)
    assert await look_up(later(waiting, minutes=3), WHO, FIRST, attempt.attempt_id) == "answered"
    answer = (await record_of(shop)).sample(FIRST).attempts[0].answer
    assert answer is not None
    assert (answer.outcome, answer.code) == (AttemptOutcome.NOT_APPLIED, "no_trace")


async def test_sums_that_fit_nothing_tell_nothing(honouring: Workshop, provider: Provider) -> None:
    """Somebody else added a sample too."""
    await enrolled(honouring, provider)
    provider.manner = "accept_cut"
    attempt = await submitted(honouring, recording_id=SECOND)
    provider.work(0)
    provider.enrolled[WHO].append(b"foreign")
    assert await look_up(later(honouring, minutes=3), WHO, SECOND, attempt.attempt_id) == "unclear"
    record = await record_of(honouring)
    assert record.sample(SECOND).open_attempt == attempt
    assert record.enrollment is not None
    assert record.enrollment.audio_s == pytest.approx(45)


async def test_of_an_erased_speaker_whatever_the_api_holds_is_ours(shop: Workshop, provider: Provider) -> None:
    """It has to go, and the length of the sample was forgotten."""
    provider.manner = "accept_cut"
    attempt = await submitted(shop)
    await shop.tell(WHO, SpeakerErased(at=shop.now()))
    assert await look_up(later(shop, minutes=3), WHO, FIRST, attempt.attempt_id) == "unclear"
    provider.work(0)
    assert await look_up(later(shop, minutes=3), WHO, FIRST, attempt.attempt_id) == "answered"
    assert sample_state((await record_of(shop)).sample(FIRST)) is SampleState.APPLIED


SPEAKERS = [SpeakerId(f"s{number}") for number in range(5)]


async def test_one_page_of_the_list_settles_many(shop: Workshop, provider: Provider) -> None:
    for speaker_id in SPEAKERS:
        provider.manner = "accept_cut"
        await submitted(shop, speaker_id=speaker_id)
    for _ in SPEAKERS[1:]:
        provider.work(0)  # the last is still under way: it isn't in the list
    then = later(shop, minutes=3)
    assert await look_through(then, 1, worth=5, turn=Turn.FINISH) == "4 settled"
    states = [sample_state((await record_of(shop, one)).sample(FIRST)) for one in SPEAKERS]
    assert states == [*[SampleState.APPLIED] * 4, SampleState.SUBMITTING]


async def test_the_list_settles_nothing_by_absence_or_against_a_job(honouring: Workshop, provider: Provider) -> None:
    await enrolled(honouring, provider)
    await submitted(honouring, recording_id=SECOND)  # its job is under way, its sums are as they were
    provider.manner = "cut"
    await submitted(honouring, speaker_id=SPEAKERS[0])  # not there
    then = later(honouring, minutes=3)
    assert await look_through(then, 1, worth=5, turn=Turn.FINISH) == "0 settled"


async def test_the_list_tells_of_an_overdue_attempt_without_a_trace_but_not_of_a_young_one(
    honouring: Workshop, provider: Provider
) -> None:
    await enrolled(honouring, provider)
    provider.manner = "cut"
    await submitted(honouring, recording_id=SECOND)
    assert await look_through(honouring, 1, worth=5, turn=Turn.IDLE) == "0 settled"
    assert await look_through(later(honouring, minutes=3), 1, worth=5, turn=Turn.IDLE) == "1 settled"


@pytest.mark.parametrize(("enrollments", "worth", "goes_on"), [(101, 5, True), (100, 5, False), (101, 2, False)])
async def test_a_list_is_read_on_only_while_it_saves_calls(
    shop: Workshop, provider: Provider, redis: ArqRedis, enrollments: int, worth: int, *, goes_on: bool
) -> None:
    provider.enrolled.update({f"foreign{number}": [b"x"] for number in range(enrollments)})
    await look_through(shop, 1, worth=worth, turn=Turn.FINISH)
    queued = [member.decode() for member in await redis.zrange(shop.queue.name, 0, -1)]
    assert [job_id.partition(":")[2] for job_id in queued] == (["look_through:0:2"] if goes_on else [])


async def test_a_second_call_waits_for_its_leave_where_the_first_would_be_lost(
    settings: Settings, provider: Provider
) -> None:
    """Two calls fit into a window; a look-up whose job is unknown needs a second one, and doesn't begin anew for it."""
    async with serving(provider.app()) as url:
        limit = {"base_url": url, "calls": 2, "window": timedelta(seconds=0.5)}
        own = settings.model_copy(update={"api": settings.api.model_copy(update=limit)})
        async with workshop(own) as shop:
            attempt = await submitted(shop)
            provider.work(0)
            provider.knows_jobs = False
            provider.results.clear()
            assert await look_up(shop, WHO, FIRST, attempt.attempt_id) == "answered"


async def test_a_first_call_that_has_no_leave_comes_back_later(settings: Settings, provider: Provider) -> None:
    async with serving(provider.app()) as url:
        limit = settings.api.model_copy(update={"base_url": url, "calls": 1})
        async with workshop(settings.model_copy(update={"api": limit})) as shop:
            attempt = await submitted(shop)
            with pytest.raises(RetryLaterError):
                await look_up(shop, WHO, FIRST, attempt.attempt_id)
