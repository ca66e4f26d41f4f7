"""A real engine for tests, a client that speaks the contract to it, and a receiver for its callbacks."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
from aiohttp import web

from config.settings import Settings
from engine.service.app import create_app
from engine.service.parts import PARTS
from engine.service.tokens import GRANT
from tests.support.serving import serving
from tests.support.voices import voice

ENROLLMENTS = "/ai/audio/v1/enrollments"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> dict[str, str]:
        """The first error of the body."""
        found: dict[str, str] = self.body["errors"][0]
        return found

    @property
    def code(self) -> str:
        """Our stable code, which opens the message."""
        return self.error["message"].partition(":")[0]


def basic(settings: Settings) -> str:
    return aiohttp.encode_basic_auth("voxroll", settings.engine.client_secret.get_secret_value())


def credential(settings: Settings, **claims: Any) -> str:
    key = settings.engine.token_key.get_secret_value()
    return jwt.encode({"iss": "voxroll", "sub": settings.account, **claims}, key, "HS256")


class Rc:
    """A client of the contract, as foreign code would write it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, settings: Settings) -> None:
        self.url = url
        self._session = session
        self._settings = settings
        self.token = ""

    async def log_in(self) -> None:
        form = {"grant_type": GRANT, "assertion": credential(self._settings)}
        answer = await self.call(
            "POST", "/restapi/oauth/token", data=form, headers={"Authorization": basic(self._settings)}
        )
        assert answer.status == 200, answer
        self.token = answer.body["access_token"]

    async def call(self, method: str, path: str, **request: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= request.pop("headers", {})
        if "json" in request:
            request["data"] = io.BytesIO(json.dumps(request.pop("json")).encode())
            headers["Content-Type"] = "application/json"
        async with self._session.request(method, self.url + path, headers=headers, **request) as response:
            raw = await response.read()
            is_json = raw and response.content_type == "application/json"
            return Answer(response.status, await response.json() if is_json else raw, dict(response.headers))

    async def enroll(self, speaker_id: str, audio: bytes, *, key: str | None = None, **params: str) -> Answer:
        body = {"speakerId": speaker_id, **sample(audio)}
        return await self.call("POST", ENROLLMENTS, json=body, params=params, headers=_key(key))

    async def add(self, speaker_id: str, audio: bytes, *, key: str | None = None, **params: str) -> Answer:
        path = f"{ENROLLMENTS}/{speaker_id}"
        return await self.call("PATCH", path, json=sample(audio), params=params, headers=_key(key))

    async def get(self, speaker_id: str) -> Answer:
        return await self.call("GET", f"{ENROLLMENTS}/{speaker_id}")

    async def delete(self, speaker_id: str) -> Answer:
        return await self.call("DELETE", f"{ENROLLMENTS}/{speaker_id}")

    async def listing(self, **params: str) -> Answer:
        return await self.call("GET", ENROLLMENTS, params=params)

    async def job(self, job_id: str) -> Answer:
        return await self.call("GET", f"/ai/status/v1/jobs/{job_id}")

    async def ended(self, job_id: str, *, within_s: float = 30.0) -> str:
        """The status of a job once it has ended."""
        async with asyncio.timeout(within_s):
            while True:
                answer = await self.job(job_id)
                if answer.status == 200 and answer.body["status"] != "InProgress":
                    return str(answer.body["status"])


def sample(audio: bytes, *, encoding: str = "Wav") -> dict[str, str]:
    return {"encoding": encoding, "languageCode": "en-US", "content": base64.b64encode(audio).decode()}


def _key(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


@asynccontextmanager
async def client_of(url: str, settings: Settings) -> AsyncIterator[Rc]:
    """A client with a token."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        rc = Rc(session, url, settings)
        await rc.log_in()
        yield rc


@asynccontextmanager
async def running_engine(
    settings: Settings, *, hears: bool = True, loads: bool = False, callback_delays_s: Sequence[float] = (0.01,) * 5
) -> AsyncIterator[Rc]:
    """An engine in this process.

    Args:
        settings: its own.
        hears: it has its models, and this waits until it is ready.
        loads: it loads them from its own cache, instead of being handed those that all tests share.
        callback_delays_s: from one try of a callback to the next.
    """
    app = create_app(
        settings,
        callback_delays_s=callback_delays_s,
        fetch_delays_s=(0.01, 0.01),
        voice=voice() if hears and not loads else None,
    )
    async with serving(app) as url, client_of(url, settings) as rc:
        if hears:
            async with asyncio.timeout(120):
                await app[PARTS].ears.loaded.wait()
                while (await rc.call("GET", "/readyz")).status != 200:
                    pass
        yield rc


@dataclass
class Receiver:
    """Takes callbacks; answers with the statuses it is given, then with 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: asyncio.Queue[web.Request] = field(default_factory=asyncio.Queue)
    bodies: list[Any] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.bodies.append(json.loads(raw) if raw else None)
        self.received.put_nowait(request)
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"Location": self.url + "/elsewhere"} if status == 302 else {})

    async def next(self, *, within_s: float = 30.0) -> tuple[web.Request, Any]:
        """The next callback and its body."""
        request = await asyncio.wait_for(self.received.get(), within_s)
        return request, self.bodies[-1 - self.received.qsize()]


@asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    async with serving(app) as url:
        receiver.url = url
        yield receiver
