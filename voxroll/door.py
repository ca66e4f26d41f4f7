"""The front door as a program sees it: one connection pool, JSON in and out, every failure a `CommandError`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from config.settings import load
from voxroll.failure import CommandError, Exit
from voxroll.running import front_door

_CONNECT_S = 5
_NO_CONTENT = 204
_SILENCE_S = 60  # an upload may last, but never stand still this long


class Door:
    """Speaks to one front door; use it as `async with`."""

    def __init__(self, url: str | None = None, *, key: str | None = None) -> None:
        """Take the front door's base URL and an API key; without them, the settings', or what `voxroll up` started."""
        settings = load()
        self.url = (url or front_door(settings)).rstrip("/")
        shown = key if key is not None else settings.key.get_secret_value()
        self._headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_S, sock_read=_SILENCE_S)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The JSON object that a request is answered with.

        Raises:
            CommandError: it was refused, or there is no answer.
        """
        ok, body = await self.request(method, path, **request)
        if not ok:
            raise _refused(body)
        return body

    async def request(self, method: str, path: str, **request: Any) -> tuple[bool, dict[str, Any]]:
        """Whether a request was granted, and the JSON object of the answer; none is an empty one.

        Raises:
            CommandError: there is no answer, or one that no front door gives.
        """
        try:
            async with self._open.request(method, self.url + path, **request) as answer:
                if answer.status == _NO_CONTENT:
                    return True, {}
                body = await answer.json(content_type=None) if answer.content_type.endswith("json") else None
                if isinstance(body, dict):
                    return answer.ok, body
                message = f"{self.url} answered {answer.status} without JSON: is this a front door of Voxroll?"
                raise CommandError("not_a_front_door", message)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise _unreachable(self.url, error) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise CommandError("bad_answer", f"{self.url}: {error or type(error).__name__}") from error

    @asynccontextmanager
    async def stream(self, path: str, **request: Any) -> AsyncIterator[aiohttp.StreamReader]:
        """What comes of a request that doesn't end.

        Raises:
            CommandError: it was refused.
            ConnectionError: the front door is not there, or is gone.
        """
        try:
            async with self._open.get(self.url + path, **request) as answer:
                if not answer.ok:
                    body = await answer.json(content_type=None)
                    raise _refused(body if isinstance(body, dict) else {})
                yield answer.content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client as `async with Client() as voxroll`")
        return self._session


def _refused(body: dict[str, Any]) -> CommandError:
    code = str(body.get("code") or f"http_{body.get('status', 'error')}")
    return CommandError(code, str(body.get("detail") or body.get("title") or "the front door refused"))


def _unreachable(url: str, error: Exception) -> CommandError:
    reason = "no answer in time" if isinstance(error, TimeoutError) else "nothing listens there"
    message = f"{url}: {reason}; `voxroll up` starts it here, VOXROLL_URL names another"
    return CommandError("front_door_unreachable", message, exit_code=Exit.UNAVAILABLE)
