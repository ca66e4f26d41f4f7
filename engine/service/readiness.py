"""Whether the process lives, and whether it can do its work."""

from aiohttp import web

from engine.service.failure import StoreAwayError
from engine.service.parts import PARTS, Parts
from engine.service.store import reaching

Check = dict[str, str | bool]


async def healthz(_request: web.Request) -> web.Response:
    """The process lives."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """The process can do its work; else 503 and what is missing."""
    parts = request.app[PARTS]
    checks = [await _redis(parts), await _crew(parts)]
    if parts.settings.engine.role != "api":
        checks.insert(1, _model(parts))
    ready = all(check["ok"] for check in checks)
    missing = "; ".join(str(check["detail"]) for check in checks if not check["ok"])
    body = {"status": "ready" if ready else missing, "checks": checks}
    return web.json_response(body, status=200 if ready else 503)


async def _redis(parts: Parts) -> Check:
    try:
        with reaching():
            await parts.redis.ping()
    except StoreAwayError:
        return {"name": "redis", "ok": False, "detail": "Redis doesn't answer"}
    return {"name": "redis", "ok": True, "detail": "answers"}


def _model(parts: Parts) -> Check:
    loaded = parts.ears.loaded.is_set()
    return {"name": "model", "ok": loaded, "detail": "loaded" if loaded else "loading model"}


async def _crew(parts: Parts) -> Check:
    """Whether anybody works: this process or another."""
    try:
        processes = len((await parts.crew.look()).hosts)
    except StoreAwayError:
        processes = 0
    return {"name": "crew", "ok": processes > 0, "detail": f"{processes} processes work off jobs"}
