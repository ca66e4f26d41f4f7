"""When all is ready: engine and front door answer `GET /readyz` with 200.

The worker has no port; the front door's answer has it among its checks.
"""

import asyncio
from typing import Any

import aiohttp

from voxroll.failure import CommandError

_POLL_S = 0.05
_LONGEST_S = 120.0
_ASK = aiohttp.ClientTimeout(total=5)


async def wait(urls: dict[str, str]) -> None:
    """Wait until every process named here is ready.

    Raises:
        CommandError: `not_ready` after two minutes, with what is missing.
    """
    give_up = asyncio.get_running_loop().time() + _LONGEST_S
    async with aiohttp.ClientSession(timeout=_ASK) as session:
        for name, url in urls.items():
            while missing := await _missing(session, url):
                if asyncio.get_running_loop().time() > give_up:
                    raise CommandError("not_ready", f"{name} is not ready: {missing}; `voxroll doctor` looks closer")
                await asyncio.sleep(_POLL_S)


async def _missing(session: aiohttp.ClientSession, url: str) -> str:
    """What is still missing, in words; empty when the process is ready."""
    try:
        async with session.get(f"{url}/readyz") as answer:
            body = await answer.json(content_type=None)
            return "" if answer.ok else describe(body) or f"it answers {answer.status}"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"no answer at {url} ({type(error).__name__})"


def describe(body: Any) -> str:
    """The checks that are not ok, from the body of `/readyz`."""
    return "; ".join(f"{name}: {detail}" for name, ok, detail in checks(body) if not ok)


def checks(body: Any) -> list[tuple[str, bool, str]]:
    """The checks in the body of `/readyz` as (name, ok, detail)."""
    found = body.get("checks") if isinstance(body, dict) else None
    entries = found.items() if isinstance(found, dict) else [(entry.get("name", "?"), entry) for entry in found or []]
    return [_check(str(name), entry) for name, entry in entries]


def _check(name: str, entry: Any) -> tuple[str, bool, str]:
    if isinstance(entry, dict):
        return name, bool(entry.get("ok")), str(entry.get("detail") or entry.get("hint") or "")
    return name, entry in (True, "ok"), "" if entry is True else str(entry)
