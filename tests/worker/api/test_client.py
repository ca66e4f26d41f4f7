"""The client against a scripted API: each answer becomes the right reply, and nothing is repeated on a guess."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Api, Settings
from tests.support.serving import serving
from worker.api import keys
from worker.api.client import Accepted, Applied, Doubtful, EnrollmentApi, NotApplied, Refused, Reply
from worker.api.governor import Governor
from worker.api.token import TokenSource
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
    own = Api(base_url=url, client_secret=settings.api.client_secret)
    window = timedelta(seconds=60)
    return EnrollmentApi(
        http,
        api=own,
        token=TokenSource(redis, http, account=settings.account, api=own),
        governor=Governor(redis, account=settings.account, calls=calls, window=window),
    )


async def hand_in(api: EnrollmentApi, *, create: bool = True) -> Reply:
    return await api.submit("s", b"RIFF", create=create, callback_url="http://door/t?x=1&y=2", idempotency_key="k")


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
    await hand_in(api, create=False)
    created, updated = scripted.asked
    assert (created.method, created.path) == ("POST", "/ai/audio/v1/enrollments")
    assert (updated.method, updated.path) == ("PATCH", "/ai/audio/v1/enrollments/s")
    assert created.query["webhook"] == "http://door/t?x=1&y=2"
    assert created.headers["Idempotency-Key"] == "k"
    assert scripted.bodies[0] == {"speakerId": "s", "encoding": "Wav", "languageCode": "en-US", "content": "UklGRg=="}
    assert "speakerId" not in scripted.bodies[1]


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


async def test_no_call_leaves_while_a_penalty_runs(
    api: EnrollmentApi, scripted: ScriptedApi, redis: ArqRedis, settings: Settings
) -> None:
    scripted.says(429, None, Retry_After="7")
    assert isinstance(await hand_in(api), NotApplied)
    async with aiohttp.ClientSession() as http:
        other = client(redis, http, settings, url="http://127.0.0.1:9")
        for call in (other.reserve(), other.enrollment("s"), other.job("j")):
            with pytest.raises(RetryLaterError) as postponed:
                await call
            assert postponed.value.code == "rate_limited"
            assert timedelta(seconds=6) < postponed.value.after <= timedelta(seconds=7)


async def test_calls_over_the_allowance_wait_for_the_window(redis: ArqRedis, settings: Settings) -> None:
    governor = Governor(redis, account=settings.account, calls=5, window=timedelta(seconds=60))
    taken = await asyncio.gather(*(governor.reserve() for _ in range(12)), return_exceptions=True)
    assert sum(outcome is None for outcome in taken) == 5
    waits = [outcome.after for outcome in taken if isinstance(outcome, RetryLaterError)]
    assert len(waits) == 7
    assert all(timedelta(seconds=55) < wait <= timedelta(seconds=60) for wait in waits)
