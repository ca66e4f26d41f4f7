"""As much of S3 as reading an object takes: HEAD and GET by path, in parts, signed requests alone, its XML errors."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from tests.support.serving import serving

KEY_ID, SECRET = "AKIDTEST", "secret"
_SIGNED = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={KEY_ID}/\d{{8}}/[a-z0-9-]+/s3/aws4_request, ?"
    r"SignedHeaders=[^,]+, ?Signature=[0-9a-f]{64}"
)


@asynccontextmanager
async def bucket(objects: Mapping[str, bytes]) -> AsyncIterator[dict[str, str]]:
    """Serve objects by `bucket/key`; the environment that lets a client read them."""

    async def read(request: web.Request) -> web.Response:
        if not _SIGNED.fullmatch(request.headers.get("Authorization", "")):
            return _refused(403, "AccessDenied")
        content = objects.get(request.match_info["path"])
        if content is None:
            return _refused(404, "NoSuchKey")
        headers = {"ETag": '"1"', "Last-Modified": "Sat, 21 Nov 2026 08:00:00 GMT", "Accept-Ranges": "bytes"}
        part = request.http_range
        if part.start is None and part.stop is None:
            return web.Response(body=content, headers=headers)
        piece = content[part]
        begin = part.start or 0
        headers["Content-Range"] = f"bytes {begin}-{begin + len(piece) - 1}/{len(content)}"
        return web.Response(status=206, body=piece, headers=headers)

    app = web.Application()
    app.add_routes([web.get("/{path:.+}", read)])
    async with serving(app) as url:
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }


def _refused(status: int, code: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>-</Message></Error>'
    return web.Response(status=status, text=text, content_type="application/xml")
