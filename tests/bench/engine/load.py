"""Clients of the engine: enroll real samples, one new speaker each, and see how long each takes."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import aiohttp
from aiohttp import web

from tests.bench.engine.processes import Running
from tests.support.engine import ENROLLMENTS, client_of
from tests.support.serving import serving
from tests.support.speech import said, speakers, wav

_SECONDS = 15.0
_RATE_HZ = 16_000
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Timed:
    """Some enrollments: how long they took together, and each by itself, in order of their ends."""

    seconds: float
    each_s: tuple[float, ...]
    cpu_s: float

    @property
    def per_s(self) -> float:
        return len(self.each_s) / self.seconds


def samples() -> Iterator[bytes]:
    """WAVs of 15 s of real speech without end, no two alike."""
    for number in count():
        who = sorted(speakers())[number % len(speakers())]
        speech = said(who, seconds=_SECONDS + 0.5, skip=number // len(speakers()) % 4)
        start = 10 * (number % 800)  # another cut of the same speech is another sample
        yield wav(speech[start : start + round(_SECONDS * _RATE_HZ)])


_SAMPLES, _NUMBERS = samples(), count(1)


def body(audio: bytes | None = None) -> bytes:
    """The next request: a new speaker's first sample, by default one that nobody has heard."""
    content = base64.b64encode(audio or next(_SAMPLES)).decode()
    return json.dumps({"speakerId": f"s{next(_NUMBERS)}", "encoding": "Wav", "content": content}).encode()


async def waited_for(engine: Running, bodies: Sequence[bytes], *, at_once: int) -> Timed:
    """Enroll with the result in the answer; as many clients as said, each asks as soon as it is answered."""
    async with _poster(engine) as post:
        waiting, each_s = list(bodies), list[float]()

        async def client() -> None:
            while waiting:
                began = time.monotonic()
                assert await post(waiting.pop(), {}) == 201
                each_s.append(time.monotonic() - began)

        cpu_s, began = engine.cpu_s(), time.monotonic()
        await asyncio.gather(*(client() for _ in range(at_once)))
        return Timed(time.monotonic() - began, tuple(each_s), engine.cpu_s() - cpu_s)


async def told_later(engine: Running, bodies: Sequence[bytes], *, at_once: int) -> Timed:
    """Hand all in with a webhook and wait for all callbacks; each is timed from its request to its callback."""
    began_s, each_s, all_in = dict[str, float](), list[float](), asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        each_s.append(time.monotonic() - began_s[request.match_info["number"]])
        if len(each_s) == len(bodies):
            all_in.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/{number}", take)
    async with serving(app) as receiver, _poster(engine) as post:
        waiting = list(enumerate(bodies))

        async def client() -> None:
            while waiting:
                number, one = waiting.pop()
                began_s[str(number)] = time.monotonic()
                assert await post(one, {"webhook": f"{receiver}/{number}"}) == 202

        cpu_s, began = engine.cpu_s(), time.monotonic()
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*(client() for _ in range(at_once)))
            await all_in.wait()
        return Timed(time.monotonic() - began, tuple(each_s), engine.cpu_s() - cpu_s)


@dataclass(frozen=True, slots=True)
class Added:
    """What the queue adds to one request: seconds, request by request, and processor time in the mean."""

    each_s: tuple[float, ...]
    cpu_s: float


async def added(engine: Running, direct: Running, *, pairs: int) -> Added:
    """One request at a time, through the queue and without it, by turns first.

    Always the same sample, so that it is measured once and all else is what is compared: to hear it takes longer, and
    varies by more, than the way there.
    """
    found, before, audio = list[float](), engine.cpu_s() - direct.cpu_s(), next(_SAMPLES)
    async with _poster(engine) as post, aiohttp.ClientSession() as http:
        for number in range(pairs + 1):
            one = body(audio)
            if number % 2:
                queued_s, direct_s = await _queued(post, one), await _direct(http, direct, one)
            else:
                direct_s, queued_s = await _direct(http, direct, one), await _queued(post, one)
            found.append(queued_s - direct_s)
    cpu_s = engine.cpu_s() - direct.cpu_s() - before
    return Added(tuple(found[1:]), cpu_s / len(found))  # the first requests open connections


async def _queued(post: Callable[[bytes, dict[str, str]], Awaitable[int]], one: bytes) -> float:
    began = time.monotonic()
    assert await post(one, {}) == 201
    return time.monotonic() - began


async def _direct(http: aiohttp.ClientSession, direct: Running, one: bytes) -> float:
    began = time.monotonic()
    async with http.post(direct.url + "/enroll", data=one) as answer:
        await answer.read()
        assert answer.status == 201
    return time.monotonic() - began


@asynccontextmanager
async def _poster(engine: Running) -> AsyncIterator[Callable[[bytes, dict[str, str]], Awaitable[int]]]:
    async with client_of(engine.url, engine.settings) as rc:

        async def post(one: bytes, params: dict[str, str]) -> int:
            timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
            headers = {"Content-Type": "application/json"}
            answer = await rc.call("POST", ENROLLMENTS, data=one, params=params, timeout=timeout, headers=headers)
            return answer.status

        yield post
