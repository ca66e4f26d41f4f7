"""What endpoints are sent is verified in other languages: by JavaScript's Standard Webhooks library, and by Perl.

No registry at hand has that library for a third language; so the Perl is an implementation of its own, written from the
specification. Deliveries are live ones, over HTTP, before and after the secret was rotated.
"""

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Endpoints as EndpointSettings
from config.settings import Settings
from tests.support.clients import from_npm
from tests.support.door import front_door
from tests.support.serving import serving
from worker.deliver import Ways, signed
from worker.deliveries import Deliveries, poster
from worker.store.endpoints import Endpoints
from worker.store.events import Bell, EventLog

_HERE = Path(__file__).parent
_WITHIN_S = 30
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
NO_SIGNATURE, TOO_OLD, TOO_NEW = "no signature", "too old", "too new"


@dataclass(frozen=True)
class Post:
    """A webhook as it came, and the secret it is verified with."""

    secret: str
    headers: Mapping[str, str]
    body: bytes

    def wire(self) -> dict[str, Any]:
        return {"secret": self.secret, "headers": self.headers, "body": base64.b64encode(self.body).decode()}


def javascript(cases: str) -> list[str]:
    folder = from_npm("standardwebhooks@1.1.1")
    found = _run(["node", str(_HERE / "verify.cjs")], cases, folder)
    says = {
        "No matching signature found": NO_SIGNATURE,
        "Message timestamp too old": TOO_OLD,
        "Message timestamp too new": TOO_NEW,
    }
    return [says.get(one, one) for one in found]


def perl(cases: str) -> list[str]:
    if shutil.which("perl") is None:
        pytest.skip("no perl")
    return [
        {"no signature fits": NO_SIGNATURE}.get(one, one) for one in _run(["perl", str(_HERE / "verify.pl")], cases)
    ]


def _run(command: list[str], cases: str, folder: Path | None = None) -> list[str]:
    done = subprocess.run(
        command, input=cases, cwd=folder, capture_output=True, text=True, check=True, timeout=_WITHIN_S
    )
    found: list[str] = json.loads(done.stdout)
    return found


@dataclass(frozen=True)
class Line:
    """A front door, an endpoint behind it, and what came there."""

    door: aiohttp.ClientSession
    url: str
    came: "asyncio.Queue[tuple[dict[str, str], bytes]]"

    async def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.door.post(path, json=body) as answer:
            assert answer.ok, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def delivered(self) -> tuple[dict[str, str], bytes]:
        """The next delivery: an event with letters that are more than one byte."""
        data = {"recordingId": "r1", "source": "Gespräch 會議.wav", "code": None}
        await self.ask("/v1/events", {"type": "sample.applied", "speakerId": "anna", "data": data})
        return await asyncio.wait_for(self.came.get(), _WITHIN_S)


@pytest.fixture
async def line(settings: Settings, redis: ArqRedis) -> AsyncIterator[Line]:
    came: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def hook(request: web.Request) -> web.Response:
        await came.put(({name: request.headers[name] for name in NAMES}, await request.read()))
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.post("/hook", hook)])
    own = settings.model_copy(update={"endpoints": EndpointSettings(allow_private=True)})
    async with serving(app) as url, front_door(own) as door, _delivering(own, redis):
        yield Line(door, f"{url}/hook", came)


@asynccontextmanager
async def _delivering(settings: Settings, redis: ArqRedis) -> AsyncIterator[None]:
    async def document(_speaker_id: str) -> None:
        return None

    log, stop = EventLog(redis, account=settings.account, kept=100), asyncio.Event()
    async with poster(allow_private=True) as post:
        ways = Ways(log, Endpoints(redis, account=settings.account), post, document, lambda: datetime.now(UTC))
        task = asyncio.create_task(Deliveries(ways, Bell(log)).run(stop))
        try:
            yield
        finally:
            stop.set()
            await task


@pytest.mark.parametrize("verify", [javascript, perl])
async def test_live_deliveries_are_verified_and_what_is_not_genuine_is_refused(
    line: Line, verify: Callable[[str], list[str]]
) -> None:
    made = await line.ask("/v1/endpoints", {"url": line.url})
    headers, body = await line.delivered()
    first = Post(made["secret"], headers, body)
    rotated = await line.ask(f"/v1/endpoints/{made['endpointId']}/rotate", {})
    headers, body = await line.delivered()
    assert len(headers["webhook-signature"].split()) == 2
    after, before = Post(rotated["secret"], headers, body), Post(made["secret"], headers, body)
    earlier = str(int(headers["webhook-timestamp"]) - 1)
    cases = [
        (first, "valid"),
        (after, "valid"),
        (before, "valid"),
        (Post(rotated["secret"], first.headers, first.body), NO_SIGNATURE),
        (Post(after.secret, after.headers, body.replace(b"anna", b"ben")), NO_SIGNATURE),
        (Post(after.secret, headers | {"webhook-id": first.headers["webhook-id"]}, body), NO_SIGNATURE),
        (_at(after, timedelta(minutes=4)), "valid"),
        (_at(after, timedelta(minutes=6)), TOO_OLD),
        (_at(after, timedelta(minutes=-6)), TOO_NEW),
        (Post(after.secret, headers | {"webhook-timestamp": earlier}, body), NO_SIGNATURE),
    ]
    found = await asyncio.to_thread(verify, json.dumps([post.wire() for post, _ in cases]))
    assert found == [verdict for _, verdict in cases]


def _at(post: Post, ago: timedelta) -> Post:
    """The same event, signed so long ago."""
    now = datetime.now(UTC) - ago
    headers = signed(post.headers["webhook-id"], post.body.decode(), secrets=(post.secret,), now=now)
    return Post(post.secret, headers, post.body)
