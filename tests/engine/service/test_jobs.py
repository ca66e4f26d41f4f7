"""Requests with a webhook: 202 at once, the result by callback, and a job that can be looked up."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from engine.service import keys
from engine.service.enroll import now_ms
from engine.service.enrollment import Ask, Verb
from engine.service.jobs import Jobs
from engine.service.orders import Diarize, Identify, Order, Task
from tests.support.engine import Rc, Receiver, receiving, running_engine

Clip = Callable[..., bytes]


async def test_callback_of_2022_is_the_bare_status(rc: Rc, clip: Clip, receiver: Receiver) -> None:
    accepted = await rc.enroll("a", clip(), webhook=f"{receiver.url}/done?attempt=7&next=a%2Fb")
    assert (accepted.status, list(accepted.body)) == (202, ["jobId"])
    request, body = await receiver.next()
    assert request.path_qs == "/done?attempt=7&next=a%2Fb"
    assert request.content_type == "application/json"
    assert request.headers["RCRequestId"] == accepted.headers["RCRequestId"]
    assert body == (await rc.get("a")).body

    job = (await rc.job(accepted.body["jobId"])).body
    assert (job["status"], job["response"]) == ("Success", body)
    assert job["api"] == "/ai/audio/v1/enrollments"
    created, expires = (datetime.fromisoformat(job[name]) for name in ("creationTime", "expirationTime"))
    assert expires - created == timedelta(days=7)
    assert job["completionTime"] >= job["creationTime"]


async def test_callback_of_2024_is_the_envelope(settings: Settings, clip: Clip, receiver: Receiver) -> None:
    async with running_engine(settings.model_copy(update={"profile": "2024"})) as rc:
        await rc.enroll("a", clip())
        accepted = await rc.add("a", clip(0, 2), webhookUrl=receiver.url)
        _, body = await receiver.next()
        assert body["jobId"] == accepted.body["jobId"]
        assert (body["status"], body["api"]) == ("Success", "/ai/audio/v1/enrollments/a")
        assert body["response"]["totalEnrollDuration"] == pytest.approx(16.0)
        assert body == (await rc.job(body["jobId"])).body


async def test_failure_is_always_an_envelope(rc: Rc, clip: Clip, receiver: Receiver) -> None:
    accepted = await rc.enroll("a", clip(0, 0, seconds=3), webhook=receiver.url)
    _, body = await receiver.next()
    assert (body["status"], body["jobId"]) == ("Fail", accepted.body["jobId"])
    assert body["response"]["errors"][0]["message"].startswith("too_short: 3.0 s long, 6 s needed")
    assert (await rc.get("a")).status == 404


async def test_what_is_known_at_once_is_answered_at_once(rc: Rc, clip: Clip, receiver: Receiver) -> None:
    assert (await rc.add("a", clip(), webhook=receiver.url)).status == 404
    await rc.enroll("a", clip())
    assert (await rc.enroll("a", clip(), webhook=receiver.url)).status == 409
    assert receiver.received.empty()


async def test_anything_but_200_is_tried_again(rc: Rc, clip: Clip) -> None:
    async with receiving(500, 202, 302, 404) as receiver:
        await rc.enroll("a", clip(), webhook=receiver.url + "/here")
        requests = [await receiver.next() for _ in range(5)]
        assert {request.path for request, _ in requests} == {"/here"}
        assert all(body == requests[0][1] for _, body in requests)


async def test_after_five_more_tries_it_gives_up_and_the_job_still_tells(
    settings: Settings, redis: ArqRedis, clip: Clip
) -> None:
    async with running_engine(settings) as rc, receiving(*[500] * 20) as receiver:
        accepted = await rc.enroll("a", clip(), webhook=receiver.url)
        for _ in range(6):
            await receiver.next()
        await rc.enroll("b", clip(1), webhook=receiver.url)  # served by the same lane, after the last try was judged
        _, body = await receiver.next()
        assert body["speakerId"] == "b"
        jobs = Jobs(redis, account=settings.account, kept=settings.retention.jobs)
        job = await jobs.get(accepted.body["jobId"])
        assert job is not None
        assert (job.status, job.deliveries) == ("Success", 6)


async def test_a_receiver_that_is_not_there_does_no_harm(rc: Rc, clip: Clip, receiver: Receiver) -> None:
    accepted = await rc.enroll("a", clip(), webhook="http://127.0.0.1:1/nobody")
    await rc.enroll("b", clip(1), webhook=receiver.url)
    await receiver.next()
    assert await rc.ended(accepted.body["jobId"]) == "Success"


async def test_audio_is_on_disk_only_while_the_job_waits(settings: Settings, clip: Clip, receiver: Receiver) -> None:
    folder = settings.data_dir / "engine" / "jobs"
    async with running_engine(settings) as rc:
        await rc.enroll("a", clip(), webhook=receiver.url)
        await receiver.next()
        await rc.enroll("b", clip(), webhook=receiver.url)
        await receiver.next()
    assert len(list(folder.iterdir())) <= 1  # the last one may be on its way out when its callback arrives


@pytest.mark.parametrize("url", ["ftp://h/x", "/relative", "http://", "http://[::1", "http://a b/", "http://ä/"])
async def test_bad_webhooks_are_refused(deaf: Rc, clip: Clip, url: str) -> None:
    answer = await deaf.enroll("a", clip(), webhook=url)
    assert (answer.status, answer.error["parameterName"]) == (400, "webhook")


async def test_two_webhooks_must_agree(deaf: Rc, clip: Clip) -> None:
    assert (await deaf.enroll("a", clip(), webhook="http://a/", webhookUrl="http://b/")).status == 400


async def test_unknown_jobs(deaf: Rc) -> None:
    assert (await deaf.job(str(uuid.uuid4()))).status == 404
    bad = await deaf.job("17")
    assert (bad.status, bad.error["parameterName"]) == (400, "jobId")


ASK = Ask(Verb.CREATE, "a", key="k", sha256="0", asked_ms=1, parameter="speakerId")


@pytest.mark.parametrize("task", [ASK, Identify(("a", "b")), Diarize((), speaker_count=None, by_channel=True)])
@pytest.mark.parametrize("webhook", ["http://here/", ""])
async def test_a_job_is_kept_as_it_was_asked_and_ends_once(
    redis: ArqRedis, settings: Settings, task: Task, webhook: str
) -> None:
    jobs = Jobs(redis, account=settings.account, kept=settings.retention.jobs)
    order = Order(job_id=str(uuid.uuid4()), task=task, asked_ms=now_ms(), api="/x", request_id="r", webhook=webhook)
    await jobs.put(order)
    assert await jobs.finish(order, status="Success", response={"n": 1}, now_ms=order.asked_ms + 1)
    assert not await jobs.finish(order, status="Fail", response={"n": 2}, now_ms=order.asked_ms + 2)
    kept = await redis.zcard(keys.callbacks(settings.account))
    job = await jobs.get(order.job_id)
    assert kept == bool(webhook)
    assert job is not None
    assert job.order == order
    assert (job.status, job.response) == ("Success", {"n": 1})


async def test_two_processes_share_the_work(settings: Settings, clip: Clip, receiver: Receiver) -> None:
    async with running_engine(settings) as one, running_engine(settings) as two:
        await one.enroll("a", clip(0, 0))
        for number in range(6):
            rc = (one, two)[number % 2]
            accepted = await rc.add("a", clip(number, 1, seconds=6.1 + number / 10), webhook=receiver.url)
            assert accepted.status == 202
        totals = [(await receiver.next())[1]["totalEnrollDuration"] for _ in range(6)]
        assert max(totals) == pytest.approx(8.0 + sum(6.1 + number / 10 for number in range(6)))
        assert len(set(totals)) == 6  # each sample was applied once, and each callback tells its own step
    assert receiver.received.empty()
