"""As much of S3, Google Cloud Storage and Azure Blob Storage as reading and listing objects takes, over real HTTP.

HEAD and GET by path, in parts, pages of lists, and whom they don't let in. The answers of the latter two are those of
fake-gcs-server and of Azurite 3.35, cut to what is read of them.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from xml.sax.saxutils import escape

from aiohttp import web

from tests.support.serving import serving

SECRET = "c2VjcmV0IG9mIHRoZSBidWNrZXQgdGhhdCBubyBsb2cgbWF5IG5hbWU="
_WHEN = "Sat, 21 Nov 2026 08:00:00 GMT"
_PAGE = 2  # objects of a list in one answer
_XML = '<?xml version="1.0" encoding="UTF-8"?>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One of the stores.

    Attributes:
        authorization: what the header must look like.
        environment: that lets a client in, by the server's URL.
        root: of all paths.
        marker: the parameter that asks for a list's next page.
        listed: a page of a list as XML, by keys with sizes and the next page's marker.
    """

    authorization: str
    environment: Callable[[str], dict[str, str]]
    root: str = ""
    marker: str = "continuation-token"
    listed: Callable[[Mapping[str, int], str], str]


def _contents(sizes: Mapping[str, int], following: str) -> str:
    """As S3 and Google list."""
    rows = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-21T08:00:00Z</LastModified><ETag>1</ETag>"
        f"<Size>{size}</Size></Contents>"
        for key, size in sizes.items()
    )
    token = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{following}</NextContinuationToken>"
    return f"{_XML}<ListBucketResult>{token if following else ''}{rows}</ListBucketResult>"


def _blobs(sizes: Mapping[str, int], following: str) -> str:
    """As Azure lists."""
    rows = "".join(
        f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{_WHEN}</Last-Modified><Etag>1</Etag>"
        f"<Content-Length>{size}</Content-Length><Content-Type>audio/wav</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
        for key, size in sizes.items()
    )
    return f"{_XML}<EnumerationResults><Blobs>{rows}</Blobs><NextMarker>{following}</NextMarker></EnumerationResults>"


KINDS = {
    "s3": Kind(
        authorization=r"AWS4-HMAC-SHA256 Credential=AKIDTEST/\d{8}/[a-z0-9-]+/s3/aws4_request, ?"
        r"SignedHeaders=[^,]+, ?Signature=[0-9a-f]{64}",
        environment=lambda url: {
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIDTEST",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        },
        listed=_contents,
    ),
    "gs": Kind(
        authorization=f"Bearer {SECRET}",
        environment=lambda url: {
            "GOOGLE_BASE_URL": url,
            "GOOGLE_ALLOW_HTTP": "true",
            "GOOGLE_BEARER_TOKEN": SECRET,
        },
        listed=_contents,
    ),
    "az": Kind(
        authorization=r"SharedKey voices:[A-Za-z0-9+/]{43}=",
        environment=lambda url: {
            "AZURE_STORAGE_ENDPOINT": f"{url}/voices",
            "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": "voices",
            "AZURE_STORAGE_ACCOUNT_KEY": SECRET,
        },
        root="voices/",
        marker="marker",
        listed=_blobs,
    ),
}
STRANGERS = {  # settings that make sense, and let nobody in
    "s3": {"AWS_ACCESS_KEY_ID": "somebody"},
    "gs": {"GOOGLE_BEARER_TOKEN": "somebody"},
    "az": {"AZURE_STORAGE_ACCOUNT_NAME": "somebody"},
}
NONSENSE = {  # settings that make no sense
    "gs": {"GOOGLE_SERVICE_ACCOUNT_KEY": "{no JSON"},
    "az": {"AZURE_STORAGE_ACCOUNT_KEY": "no base64!"},
}


@asynccontextmanager
async def bucket(objects: Mapping[str, bytes], *, scheme: str = "s3") -> AsyncIterator[dict[str, str]]:
    """Serve objects by `bucket/key`; the environment that lets a client read them."""
    kind = KINDS[scheme]

    async def answer(request: web.Request) -> web.Response:
        if not re.fullmatch(kind.authorization, request.headers.get("Authorization", "")):
            return _refused(403, "AccessDenied")
        path = request.match_info["path"].removeprefix(kind.root)
        if "/" not in path.rstrip("/"):
            return _page(objects, path.rstrip("/"), request, kind)
        content = objects.get(path)
        return _refused(404, "NoSuchKey") if content is None else _object(content, request)

    app = web.Application()
    app.add_routes([web.get("/{path:.+}", answer)])
    async with serving(app) as url:
        yield kind.environment(url)


def _object(content: bytes, request: web.Request) -> web.Response:
    headers = {"ETag": '"1"', "Last-Modified": _WHEN, "Accept-Ranges": "bytes"}
    part = request.http_range
    if part.start is None and part.stop is None:
        return web.Response(body=content, headers=headers)
    piece = content[part]
    begin = part.start or 0
    headers["Content-Range"] = f"bytes {begin}-{begin + len(piece) - 1}/{len(content)}"
    return web.Response(status=206, body=piece, headers=headers)


def _page(objects: Mapping[str, bytes], name: str, request: web.Request, kind: Kind) -> web.Response:
    prefix, begin = request.query.get("prefix", ""), int(request.query.get(kind.marker, 0))
    keys = {
        key.removeprefix(f"{name}/"): len(content) for key, content in objects.items() if key.startswith(f"{name}/")
    }
    if not keys:
        return _refused(404, "NoSuchBucket")
    wanted = sorted((key, size) for key, size in keys.items() if key.startswith(prefix))
    end = begin + _PAGE
    text = kind.listed(dict(islice(wanted, begin, end)), str(end) if end < len(wanted) else "")
    return web.Response(text=text, content_type="application/xml")


def _refused(status: int, code: str) -> web.Response:
    text = f"{_XML}<Error><Code>{code}</Code><Message>-</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")
