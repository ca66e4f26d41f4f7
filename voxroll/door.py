"""The front door as a program sees it: one connection pool, JSON in and out, every failure a `CommandError`.

What may pass is tried again for a while: an answer that asks for it, and a connection that is lost after the front door
was there once. Each POST carries an Idempotency-Key, so that it is done once however often it is sent.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp

from config.settings import load
from voxroll.failure import CommandError, Exit, PassingError
from voxroll.running import front_door

_CONNECT_S = 5
_SILENCE_S = 60  # an upload may last, but never stand still this long
_PATIENCE_S = 60.0
_PAUSE_S = (0.2, 5.0)  # first and longest pause between two tries
_NO_CONTENT = 204
_PASSING = frozenset({429, 502, 503, 504})
_PASSING_CODES = frozenset({"idempotency_in_progress"})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the front door said: its JSON object, and for how long it asks to be left alone."""

    status: int
    body: dict[str, Any]
    after_s: float

    @property
    def is_ok(self) -> bool:
        """Whether the request was granted."""
        return self.status < 400  # noqa: PLR2004 -- client errors

    def refusal(self) -> CommandError:
        """The error that it tells."""
        code = str(self.body.get("code") or f"http_{self.status}")
        message = str(self.body.get("detail") or self.body.get("title") or "the front door refused")
        if self.status in _PASSING or code in _PASSING_CODES:
            return PassingError(code, message, after_s=self.after_s)
        return CommandError(code, message)


class Door:
    """Speaks to one front door; use it as `async with`."""

    def __init__(self, url: str | None = None, *, key: str | None = None, patience_s: float = _PATIENCE_S) -> None:
        """Take the front door's base URL and an API key; without them, the settings', or what `voxroll up` started.

        Args:
            url: without a path.
            key: `vxk_...`, where the front door asks for one.
            patience_s: so long what may pass is tried again.
        """
        settings = load()
        self.url = (url or front_door(settings)).rstrip("/")
        shown = key if key is not None else settings.key.get_secret_value()
        self._headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        self._patience_s = patience_s
        self._was_there = False
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_S, sock_read=_SILENCE_S)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> dict[str, Any]:
        """The JSON object that a request is answered with.

        Raises:
            CommandError: it was refused, or there is no answer.
        """
        sent = (once() if method == "POST" else {}) | dict(headers or {})
        return await self.patiently(lambda: self.ask_once(method, path, headers=sent, **request))

    async def ask_once(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The same, tried once.

        Raises:
            CommandError: it was refused, or there is no answer.
        """
        answer = await self.answer(method, path, **request)
        if not answer.is_ok:
            raise answer.refusal()
        return answer.body

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call again while it fails for what may pass, for some time.

        Raises:
            CommandError: as the call did last.
        """
        loop = asyncio.get_running_loop()
        give_up_s, (pause_s, longest_s) = loop.time() + self._patience_s, _PAUSE_S
        while True:
            try:
                return await call()
            except PassingError as error:
                wait_s = max(pause_s * random.uniform(0.5, 1.0), error.after_s)  # noqa: S311 -- jitter
                if loop.time() + wait_s > give_up_s or (error.exit_code is Exit.UNAVAILABLE and not self._was_there):
                    raise
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, longest_s)

    async def answer(self, method: str, path: str, **request: Any) -> Answer:
        """What a request is answered with, granted or not.

        Raises:
            CommandError: there is no answer, or one that no front door gives.
        """
        try:
            async with self._open.request(method, self.url + path, **request) as response:
                found = await _read(response)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise _unreachable(self.url, error) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise CommandError("bad_answer", f"{self.url}: {error or type(error).__name__}") from error
        if found is None:
            message = f"{self.url} answered {response.status} without JSON: is this a front door of Voxroll?"
            raise CommandError("not_a_front_door", message)
        self._was_there = True
        return found

    @asynccontextmanager
    async def stream(self, path: str, **request: Any) -> AsyncIterator[aiohttp.StreamReader]:
        """What comes of a request that doesn't end.

        Raises:
            CommandError: it was refused.
            ConnectionError: the front door is not there, or is gone, or asks to come later.
        """
        try:
            async with self._open.get(self.url + path, **request) as response:
                if response.ok:
                    yield response.content
                    return
                found = await _read(response) or Answer(response.status, {}, 0.0)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        if isinstance(refusal := found.refusal(), PassingError):
            raise ConnectionError(refusal.code)
        raise refusal

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client as `async with Client() as voxroll`")
        return self._session


def once() -> dict[str, str]:
    """The header that lets a POST be sent again and be done once."""
    return {"Idempotency-Key": uuid.uuid4().hex}


async def _read(response: aiohttp.ClientResponse) -> Answer | None:
    """The answer; None if it is none of a front door, nor of a proxy before it that asks to come later."""
    body = await response.json(content_type=None) if response.content_type.endswith("json") else None
    if isinstance(body, dict) or response.status == _NO_CONTENT or response.status in _PASSING:
        after = response.headers.get("Retry-After", "")
        return Answer(response.status, body or {}, float(after) if after.isdecimal() else 0.0)
    return None


def _unreachable(url: str, error: Exception) -> PassingError:
    reason = "no answer in time" if isinstance(error, TimeoutError) else "nothing listens there"
    message = f"{url}: {reason}; `voxroll up` starts it here, VOXROLL_URL names another"
    return PassingError("front_door_unreachable", message, exit_code=Exit.UNAVAILABLE)
