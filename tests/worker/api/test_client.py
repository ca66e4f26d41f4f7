"""The client against a scripted API: each answer becomes the right reply, and nothing is repeated on a guess."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import aiohttp
import jwt
import pytest
from aiohttp import web
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Api, Settings
from tests.support.serving import serving
from worker.api import keys
from worker.api.client import EnrollmentApi, Submission
from worker.api.governor import Turn
from worker.api.replies import Accepted, Applied, Doubtful, NotApplied, Refused, Reply
from worker.api.token import group_of
from worker.enrollment.errors import RetryLaterError

STATUS = {"speakerId": "s", "enrollmentComplete": True, "totalSpeechDuration": 14.0, "totalEnrollDuration": 15.0}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error(code: str, message: str) -> dict[str, object]:
    return {"errors": [{"errorCode": code, "message": message}]}


class ScriptedApi:
    """A server that gives the next answer of a script and remembers what it was asked."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.asked: list[web.Request] = []
        self.bodies: list[dict[str, str]] = []
        self.tokens = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_post("/restapi/oauth/token", self._token)
        app.router.add_route("*", "/ai/{rest:.*}", self._next)
        return app

    async def _token(self, _request: web.Request) -> web.Response:
        self.tokens += 1
        return web.json_response({"access_token": f"t{self.tokens}", "expires_in": 3600, "scope": "AI"})

    async def _next(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if request.can_read_body:
            self.bodies.append(await request.json())
        return await self.script.pop(0)(request)

    def says(self, status: int, body: object = None, **headers: str) -> None:
        async def answer(_request: web.Request) -> web.StreamResponse:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.json_response(body, status=status, headers=fields)

        self.script.append(answer)


@pytest.fixture
async def scripted() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture
async def api(scripted: ScriptedApi, redis: ArqRedis, settings: Settings) -> AsyncIterator[EnrollmentApi]:
    async with serving(scripted.app()) as url, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as http:
        yield client(redis, http, settings, url=url)


def client(
    redis: ArqRedis, http: aiohttp.ClientSession, settings: Settings, *, url: str, calls: int = 0
) -> EnrollmentApi:
    own = Api(base_url=url, client_secret=settings.api.client_secret, calls=calls)
    return EnrollmentApi.over(redis, http, account=settings.account, api=own)


async def hand_in(api: EnrollmentApi, *, create: bool = True, language: str | None = None) -> Reply:
    leave = await api.reserve("s", turn=Turn.START)
    url = "http://door/t?x=1&y=2"
    submission = Submission(
        speaker_id="s", clip=b"RIFF", create=create, callback_url=url, idempotency_key="k", language=language
    )
    return await api.submit(submission, leave=leave)


@pytest.mark.parametrize(
    ("status", "body", "create", "expected"),
    [
        (201, STATUS, True, Applied),
        (201, STATUS | {"speakerId": None, "enrollmentId": "s"}, False, Doubtful),
        (202, {"jobId": "j"}, True, Accepted),
        (201, {"odd": 1}, True, Doubtful),
        (202, {}, True, Doubtful),
        (
            400,
            error("CAI-101", "too_short: 2.1 s long, 6 s needed"),
            True,
            Refused("too_short", "2.1 s long, 6 s needed"),
        ),
        (400, error("CAI-101", "Parameter [content] is invalid"), True, Refused),
        (413, "no json", True, Refused("api_refused", "413 without a reason")),
        (409, error("CAI-104", "exists"), True, NotApplied),
        (404, error("CAI-105", "no"), False, NotApplied),
        (403, error("CMN-401", "needs AI"), True, NotApplied),
        (503, None, True, NotApplied),
        (500, None, True, Doubtful),
        (502, None, True, Doubtful),
    ],
)
async def test_each_answer_is_one_reply(
    api: EnrollmentApi, scripted: ScriptedApi, *, status: int, body: object, create: bool, expected: object
) -> None:
    scripted.says(status, body)
    reply = await hand_in(api, create=create)
    assert reply == expected if not isinstance(expected, type) else isinstance(reply, expected)
    assert len(scripted.asked) == 1


async def test_what_is_sent_is_the_contract(api: EnrollmentApi, scripted: ScriptedApi) -> None:
    scripted.says(201, STATUS)
    scripted.says(201, STATUS)
    await hand_in(api)
    await hand_in(api, create=False, language="de-AT")
    created, updated = scripted.asked
    assert (created.method, created.path) == ("POST", "/ai/audio/v1/enrollments")
    assert (updated.method, updated.path) == ("PATCH", "/ai/audio/v1/enrollments/s")
    assert created.query["webhook"] == "http://door/t?x=1&y=2"
    assert created.headers["Idempotency-Key"] == "k"
    assert scripted.bodies[0] == {"speakerId": "s", "encoding": "Wav", "languageCode": "en-US", "content": "UklGRg=="}
    assert "speakerId" not in scripted.bodies[1]
    assert scripted.bodies[1]["languageCode"] == "de-AT"


async def test_a_timeout_is_doubtful_and_not_repeated(api: EnrollmentApi, scripted: ScriptedApi) -> None:
    applied = asyncio.Event()

    async def late(_request: web.Request) -> web.StreamResponse:
        applied.set()
        await asyncio.Event().wait()
        return web.Response()

    scripted.script.append(late)
    assert isinstance(await hand_in(api), Doubtful)
    assert applied.is_set()
    assert len(scripted.asked) == 1


async def test_a_connection_cut_after_the_request_is_doubtful(api: EnrollmentApi, scripted: ScriptedApi) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    scripted.script.append(cut)
    assert isinstance(await hand_in(api), Doubtful)


async def test_no_connection_at_all_certainly_changed_nothing(redis: ArqRedis, settings: Settings) -> None:
    await redis.set(keys.token(settings.account), "known", ex=60)
    async with aiohttp.ClientSession() as http:
        reply = await hand_in(client(redis, http, settings, url="http://127.0.0.1:9"))
    assert isinstance(reply, NotApplied)
    assert reply.code == "api_unreachable"


async def test_a_refused_token_is_renewed_once(api: EnrollmentApi, scripted: ScriptedApi) -> None:
    scripted.says(401, error("OAU-128", "expired"))
    scripted.says(201, STATUS)
    assert isinstance(await hand_in(api), Applied)
    assert scripted.tokens == 2
    scripted.says(401)
    scripted.says(401)
    assert isinstance(await hand_in(api), NotApplied)


async def test_one_token_serves_all_who_start_at_once(
    scripted: ScriptedApi, redis: ArqRedis, settings: Settings
) -> None:
    async with serving(scripted.app()) as url, aiohttp.ClientSession() as http:
        for _ in range(10):
            scripted.says(201, STATUS)
        clients = [client(redis, http, settings, url=url) for _ in range(10)]
        await asyncio.gather(*map(hand_in, clients))
    assert scripted.tokens == 1


async def test_a_renewed_token_has_leave_for_its_call_or_is_not_used(
    scripted: ScriptedApi, redis: ArqRedis, settings: Settings
) -> None:
    scripted.says(401, error("OAU-128", "expired"))
    async with serving(scripted.app()) as url, aiohttp.ClientSession() as http:
        reply = await hand_in(client(redis, http, settings, url=url, calls=1))
    assert isinstance(reply, NotApplied)
    assert reply.code == "rate_limited"
    assert len(scripted.asked) == 1


async def test_token_requests_are_limited_and_a_refused_credential_is_not_shown_again(
    redis: ArqRedis, settings: Settings
) -> None:
    asked = list[str]()

    async def refuse(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"error": "invalid_client"}, status=401)

    app = web.Application()
    app.router.add_post("/restapi/oauth/token", refuse)
    async with serving(app) as url, aiohttp.ClientSession() as http:
        codes = list[str]()
        for _ in range(3):
            with pytest.raises(RetryLaterError) as postponed:
                await client(redis, http, settings, url=url).reserve("s", turn=Turn.START)
            codes.append(postponed.value.code)
            assert postponed.value.after > timedelta(seconds=55)
    assert codes == ["api_credentials", "rate_limited", "rate_limited"]
    assert len(asked) == 1


async def test_a_provider_that_is_not_there_yet_costs_no_token_requests(redis: ArqRedis, settings: Settings) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(7):
            with pytest.raises(RetryLaterError) as postponed:
                await client(redis, http, settings, url="http://127.0.0.1:9").reserve("s", turn=Turn.START)
            assert postponed.value.code == "api_unreachable"


async def test_no_call_leaves_while_a_penalty_runs(
    api: EnrollmentApi, scripted: ScriptedApi, redis: ArqRedis, settings: Settings
) -> None:
    scripted.says(429, None, Retry_After="7")
    assert isinstance(await hand_in(api), NotApplied)
    async with aiohttp.ClientSession() as http:
        other = client(redis, http, settings, url="http://127.0.0.1:9")
        calls = (other.reserve("s", turn=Turn.FINISH), other.enrollment("s"), other.job("j"), other.enrollments(1))
        for call in (*calls, other.delete("s")):
            with pytest.raises(RetryLaterError) as postponed:
                await call
            assert postponed.value.code == "rate_limited"
            assert timedelta(seconds=6) < postponed.value.after < timedelta(seconds=8)


async def test_a_penalty_that_begins_between_leave_and_call_keeps_the_call_back(
    api: EnrollmentApi, scripted: ScriptedApi
) -> None:
    leave = await api.reserve("late", turn=Turn.START)
    scripted.says(429)
    await hand_in(api)
    submission = Submission(speaker_id="late", clip=b"", create=True, callback_url=None, idempotency_key="k")
    reply = await api.submit(submission, leave=leave)
    assert isinstance(reply, NotApplied)
    assert reply.code == "rate_limited"
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("name", ["records", "enrollments"])
async def test_the_list_is_read_in_both_shapes_and_without_what_is_unreadable(
    api: EnrollmentApi, scripted: ScriptedApi, name: str
) -> None:
    old = {"enrollmentId": "t", "enrollmentComplete": False, "totalSpeechDuration": 3.5}
    records = [STATUS, {"odd": 1}, old, None]
    scripted.says(200, {name: records, "paging": {"page": 2, "totalPages": 7, "perPage": 100}})
    page = await api.enrollments(2)
    assert [status.speaker_id for status in page.records] == ["s", "t"]
    assert page.total_pages == 7
    (asked,) = scripted.asked
    assert asked.method == "GET"
    assert dict(asked.query) == {"partial": "true", "perPage": "100", "page": "2"}


@pytest.mark.parametrize("body", [{}, {"records": []}, {"records": [], "paging": {"totalPages": 0}}])
async def test_an_empty_list_has_one_page(api: EnrollmentApi, scripted: ScriptedApi, body: dict[str, object]) -> None:
    scripted.says(200, body)
    page = await api.enrollments(1)
    assert (page.records, page.total_pages) == ((), 1)


async def test_a_missing_list_is_an_api_that_was_withdrawn(api: EnrollmentApi, scripted: ScriptedApi) -> None:
    scripted.says(404)
    with pytest.raises(RetryLaterError) as postponed:
        await api.enrollments(1)
    assert postponed.value.code == "api_withdrawn"


@pytest.mark.parametrize("status", [200, 204, 404, 410])
async def test_what_is_not_there_is_deleted(api: EnrollmentApi, scripted: ScriptedApi, status: int) -> None:
    scripted.says(status)
    await api.delete("s")
    (asked,) = scripted.asked
    assert (asked.method, asked.path) == ("DELETE", "/ai/audio/v1/enrollments/s")


@pytest.mark.parametrize("status", [403, 429, 500])
async def test_a_deletion_that_failed_is_not_taken_for_one(
    api: EnrollmentApi, scripted: ScriptedApi, status: int
) -> None:
    scripted.says(status)
    with pytest.raises(RetryLaterError):
        await api.delete("s")


async def test_whether_keys_are_honoured_is_what_the_api_said_last(api: EnrollmentApi, scripted: ScriptedApi) -> None:
    assert not api.honours_keys
    scripted.says(404, None, Idempotency_Key_Honoured="true")
    await api.enrollment("s")
    assert api.honours_keys
    scripted.says(502)  # the word of a proxy
    with pytest.raises(RetryLaterError):
        await api.enrollment("s")
    assert api.honours_keys
    scripted.says(404)
    await api.enrollment("s")
    assert not api.honours_keys


def test_the_bucket_is_named_after_the_subject_of_the_credential(settings: Settings) -> None:
    credential = SecretStr(jwt.encode({"sub": "63295327016"}, "somebody else's key, which we don't know", "HS256"))
    known = group_of("a", Api(client_id="app", jwt=credential), name="heavy")
    assert (known.client_id, known.user, known.name) == ("app", "63295327016", "heavy")
    assert group_of("a", settings.api, name="auth").user == settings.api.client_id
