"""Around every request: an id, the token, errors as the contract writes them, and one line in the log.

No traceback and no foreign exception reaches a client; neither audio nor token reaches the log.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

from engine.service import wire
from engine.service.failure import (
    CMN_INTERNAL,
    CMN_NOT_FOUND,
    CMN_RATE,
    RETRY_AFTER_S,
    ApiError,
)
from engine.service.faults import Faults
from engine.service.limits import Bucket, Limiter
from engine.service.parts import PARTS
from engine.service.tokens import TokenError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FACTS: web.RequestKey[dict[str, Any]] = web.RequestKey("facts", dict[str, Any])
_CLIENT: web.RequestKey[str] = web.RequestKey("client", str)
_RATE: web.RequestKey[dict[str, str]] = web.RequestKey("rate", dict[str, str])
_API = "/ai/"
_MIB = 1024 * 1024
_CHANGES = frozenset({"POST", "PATCH", "DELETE"})
_QUIET = frozenset({"/healthz", "/readyz"})

_log = structlog.get_logger()


@web.middleware
async def answering(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, turn failures into bodies, write the line."""
    facts = {"request_id": str(uuid.uuid4())}
    request[FACTS] = facts
    began = time.monotonic()
    try:
        response = await _answer(request, handler)
    except BaseException:
        _log.info("request.aborted", method=request.method, route=_route(request), **facts)
        raise
    response.headers["RCRequestId"] = facts["request_id"]
    response.headers.update(request.get(_RATE, {}))
    if request.path.startswith(_API):
        response.headers["Idempotency-Key-Honoured"] = "true"  # a client that knows may repeat a change safely
    if request.path not in _QUIET:
        _log.info(
            "request.answered",
            method=request.method,
            route=_route(request),
            status=response.status,
            duration_ms=round((time.monotonic() - began) * 1000, 1),
            **facts,
        )
    return response


@web.middleware
async def authorised(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only bearers of a token through to the API."""
    if request.path.startswith(_API):
        request[_CLIENT] = await request.app[PARTS].tokens.check(request.headers.get("Authorization"))
    return await handler(request)


def limited(limiter: Limiter) -> Any:
    """A middleware that counts the calls of each client and user, and refuses what is too much."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(_API):
            return await handler(request)
        verdict = limiter.ask(Bucket(request[_CLIENT], request.app[PARTS].settings.account))
        request[_RATE] = limiter.headers(verdict)
        if not verdict.passes:
            message = f"more than {limiter.calls} calls in {limiter.window_s:g} s; any call within the next "
            message += f"{verdict.retry_after_s:g} s starts this penalty anew"
            raise ApiError(429, "rate_limited", message, error_code=CMN_RATE)
        return await handler(request)

    return count


def misbehaving(faults: Faults) -> Any:
    """A middleware that plays the faults of calls."""

    @web.middleware
    async def play(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(_API):
            return await handler(request)
        if faults.fails(f"{request.method} {request.path}"):
            raise ApiError(500, "internal", "a fault that was asked for by --faults", error_code=CMN_INTERNAL)
        await asyncio.sleep(faults.slowness_s())
        response = await handler(request)
        if response.status == web.HTTPAccepted.status_code and wire.read_webhook(request.query):
            await faults.until_taken(request[FACTS]["job_id"])
        if request.method in _CHANGES:
            await asyncio.sleep(faults.lateness_s())
        return response

    return play


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return refusal(request, error)
    except TokenError as error:
        request[FACTS]["error"] = error.error
        return web.json_response(error.body(), status=error.status)
    except web.HTTPException as error:
        response = refusal(request, _translated(request, error))
        response.headers.update({name: error.headers[name] for name in ("Allow",) if name in error.headers})
        return response
    except Exception as error:  # noqa: BLE001  no traceback reaches a client
        _log.exception("request.failed", route=_route(request), **request[FACTS])
        hidden = ApiError(500, "internal", "the engine failed; its log has the rest", error_code=CMN_INTERNAL)
        hidden.__cause__ = error
        return refusal(request, hidden)


def refusal(request: web.Request, error: ApiError) -> web.Response:
    """The response that says an `ApiError`."""
    request[FACTS]["error"] = error.code
    headers = {}
    if error.status == web.HTTPServiceUnavailable.status_code:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if error.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = 'Bearer realm="engine", error="invalid_token"'
    return web.json_response(error.body(), status=error.status, headers=headers)


def too_large(size: int | None, limit: int) -> ApiError:
    """413 with what was sent and what is allowed."""
    sent = f"the body has {size / _MIB:.1f} MiB" if size else "the body is larger"
    message = f"{sent}, {limit / _MIB:.1f} MiB allowed; send a shorter or compressed recording"
    return ApiError(413, "body_too_large", message, parameter="content")


async def whole_body(request: web.Request) -> bytes:
    """The whole body; one that says that it is too large is refused unread."""
    limit = request.app[PARTS].settings.engine.max_body_bytes
    if (request.content_length or 0) > limit:
        raise too_large(request.content_length, limit)
    return await request.read()


def _translated(request: web.Request, error: web.HTTPException) -> ApiError:
    """Refusals of aiohttp itself in the platform's words."""
    match error.status:
        case 404:
            return ApiError(404, "unknown_path", f"no resource at {request.path}", error_code=CMN_NOT_FOUND)
        case 405:
            return ApiError(405, "method_not_allowed", f"{request.method} is none here", error_code=CMN_NOT_FOUND)
        case 413:
            return too_large(request.content_length, request.app[PARTS].settings.engine.max_body_bytes)
        case status:
            return ApiError(status, "refused", error.reason, error_code=CMN_INTERNAL)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
