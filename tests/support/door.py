"""The front door for tests, as its process has it: the short way for callbacks before the application."""

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from pydantic import SecretStr

from config.settings import Settings
from tests.support.serving import bound, serving, url_of
from webhook.app import create_app
from webhook.direct import door
from webhook.idempotency import RENEW_S
from worker.contract.token import Claims, mint

STATUS = {
    "enrollmentId": "s1",
    "enrollmentComplete": True,
    "totalSpeechDuration": 14.2,
    "totalEnrollDuration": 16.0,
    "enrollmentQuality": "Average",
}
BODY = json.dumps(STATUS).encode()


@contextlib.asynccontextmanager
async def front_door(
    settings: Settings, *, short_way: bool = True, renew_s: float = RENEW_S
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that speaks to it, with as many connections as it likes."""
    app, listening = create_app(settings, renew_s=renew_s), bound()
    serve = door(app, listening, drain_s=1) if short_way else serving(app, on=listening)
    async with serve, aiohttp.ClientSession(url_of(listening), connector=aiohttp.TCPConnector(limit=0)) as http:
        yield http


async def ask(door: aiohttp.ClientSession, method: str, path: str, **request: Any) -> tuple[int, dict[str, Any]]:
    """The status of an answer and its JSON object, empty where it has none."""
    async with door.request(method, path, **request) as answer:
        return answer.status, await answer.json() if answer.content_type.endswith("json") else {}


def token(
    settings: Settings, *, account: str | None = None, key: str = "k" * 48, ttl_s: float = 60, speaker_id: str = "s1"
) -> str:
    """The token of an attempt."""
    claims = Claims(
        account=account or settings.account,
        speaker_id=speaker_id,
        recording_id="r1",
        attempt_id="a1",
        expires_at=datetime.now(UTC) + timedelta(seconds=ttl_s),
    )
    return mint(claims, key=SecretStr(key))
