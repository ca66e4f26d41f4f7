"""The endpoints of tokens: forms in, OAuth's answers out."""

from urllib.parse import parse_qsl

from aiohttp import web

from engine.service.middleware import whole_body
from engine.service.parts import PARTS


async def token(request: web.Request) -> web.Response:
    """Exchange a JWT credential or a refresh token for an access token."""
    granted = await request.app[PARTS].tokens.grant(request.headers.get("Authorization"), await _form(request))
    return web.json_response(granted, headers={"Cache-Control": "no-store"})


async def revoke(request: web.Request) -> web.Response:
    """End the session that a token belongs to."""
    await request.app[PARTS].tokens.revoke(request.headers.get("Authorization"), await _form(request))
    return web.Response()


async def _form(request: web.Request) -> dict[str, str]:
    """The members of a form; what is none has none."""
    return dict(parse_qsl((await whole_body(request)).decode(errors="replace"), keep_blank_values=True))
