"""Who may do what at the front door: API keys with scopes.

Open without a key only while the door listens on loopback; otherwise every route of `/v1` needs one, but for
webhookUrl, whose token is its own proof. A key that is shown is always checked.
"""

import hmac
from datetime import datetime

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from config.settings import Webhook
from webhook.room import ROOM
from worker.enrollment.errors import RequestError
from worker.store.apikeys import ApiKey, ApiKeys, Scope, hashed, id_of

KEY_ID: web.RequestKey[str] = web.RequestKey("key_id", str)  # whose request it is; nobody's without a key
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/v1/event-types", "/openapi.json", "/docs"})
_WEBHOOK_URL = ("POST", "/v1/callbacks/{callback_id}")  # its last part is a token, which is its own proof
_READ = ("/v1/speakers", "/v1/roster", "/v1/shortlists", "/v1/events", "/v1/batches")
_TRACE = "/trace"  # tells of callbacks and endpoints
_ENROLL = ("/v1/enrollments", "/v1/batches", "/v1/shortlists")  # all of them may have a recording fetched
_LOOKUP = ("POST", "/v1/lookup")  # asks, and changes nothing
_UNAUTHORIZED, _FORBIDDEN = 401, 403


def access(webhook: Webhook) -> Middleware:
    """The middleware that asks for keys."""
    is_needed = webhook.keys == "required" or webhook.host not in _LOOPBACK

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else ""
        shown = request.headers.get("Authorization", "")
        is_unknown = request.match_info.http_exception is not None  # 404 or 405 is all there is to know
        if is_unknown or not needs_key(request.method, route) or not (is_needed or shown):
            return await handler(request)
        room = request.app[ROOM]
        key = await _known(room.keys, shown)
        _check(key, scope_of(request.method, route), now=room.now())
        request[KEY_ID] = key.key_id
        return await handler(request)

    return checked


def needs_key(method: str, route: str) -> bool:
    """Whether a request needs a key, where keys are asked for."""
    return route not in _OPEN and (method, route) != _WEBHOOK_URL


def scope_of(method: str, route: str) -> Scope:
    """What a request takes: everything that is not reading speakers or enrolling is managing."""
    if (method, route) == _LOOKUP:
        return Scope.READ
    if method in {"GET", "HEAD"}:
        is_reading = route.startswith(_READ) and not route.endswith(_TRACE)
        return Scope.READ if is_reading or not route else Scope.MANAGE
    enrolls = method != "DELETE" and (route.startswith(_ENROLL) or route.endswith("/retry"))
    return Scope.ENROLL if enrolls else Scope.MANAGE


async def _known(keys: ApiKeys, shown: str) -> ApiKey:
    kind, _, text = shown.partition(" ")
    text = text.strip()
    key_id = id_of(text) if kind.lower() == "bearer" else None
    if key_id is None:
        message = "send `Authorization: Bearer vxk_...`; `voxroll keys create` makes a key"
        raise RequestError("key_missing", message, status=_UNAUTHORIZED)
    found = await keys.get(key_id)
    if found is None or not hmac.compare_digest(found.sha256, hashed(text)):
        raise RequestError(
            "key_invalid", "no such key; `voxroll keys list` shows those there are", status=_UNAUTHORIZED
        )
    return found


def _check(key: ApiKey, needed: Scope, *, now: datetime) -> None:
    if key.revoked_at:
        raise RequestError("key_revoked", f"the key {key.name} was revoked", status=_UNAUTHORIZED)
    if key.expires_at and key.expires_at <= now:
        raise RequestError(
            "key_expired", f"the key {key.name} ended at {key.expires_at:%Y-%m-%d %H:%M} UTC", status=_UNAUTHORIZED
        )
    if needed not in key.scopes:
        has = ", ".join(key.scopes)
        raise RequestError("scope_missing", f"this takes `{needed}`, the key {key.name} has {has}", status=_FORBIDDEN)
