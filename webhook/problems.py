"""Errors as RFC 9457 problem details: a stable `code`, what was measured, the way out. Never a traceback."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError
from redis.exceptions import RedisError

from worker.enrollment.errors import RequestError, VoxrollError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = structlog.get_logger()
_CODES = {404: "no_such_route", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def document(status: int, code: str, detail: str) -> dict[str, Any]:
    """One problem document."""
    title = code.replace("_", " ")
    return {"type": f"urn:voxroll:problem:{code}", "title": title, "status": status, "code": code, "detail": detail}


def problem(status: int, code: str, detail: str, *, headers: dict[str, str] | None = None) -> web.Response:
    """The response that tells a problem."""
    told = document(status, code, detail)
    return web.json_response(told, status=status, content_type="application/problem+json", headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: PLR0911 -- a line each
    """Turn every error into a problem document."""
    try:
        return await handler(request)
    except RequestError as error:
        return problem(error.status, error.code, error.message)
    except VoxrollError as error:
        return problem(503, error.code, error.message, headers={"Retry-After": "5"})
    except ValidationError as error:
        return problem(422, "invalid_request", _in_words(error))
    except HttpProcessingError:  # headers of a part of a multipart body
        return problem(422, "invalid_request", "the multipart body can't be read")
    except RedisError as error:
        _log.warning("door.redis_lost", reason=type(error).__name__)
        detail = "nothing was written down; send it again in a moment"
        return problem(503, "redis_unavailable", detail, headers={"Retry-After": "1"})
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 -- redirects are no errors
            raise
        headers = {name: value for name, value in error.headers.items() if name == "Allow"}
        return problem(error.status, _CODES.get(error.status, "http_error"), error.reason, headers=headers)
    except ConnectionResetError:
        raise
    except Exception:  # noqa: BLE001 -- the last line of defence: told in the log, never to the client
        _log.exception("door.failed", route=request.path.split("/", 3)[:3])
        return problem(500, "internal_error", "a defect of Voxroll; its log has the details")


def _in_words(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found[:5])
