"""The answers to callbacks that are taken without a request: plain bytes, renewed when the date in them changes."""

import functools
import json
import time
from email.utils import formatdate

from webhook.problems import document

Problem = tuple[int, str, str]  # status, code, detail
LOST: Problem = (503, "redis_unavailable", "nothing was promised; send it again in a moment")
BUSY: Problem = (503, "busy", "as many callbacks as may wait do so already; send it again in a moment")
AGAIN_S = "1"


def accepted() -> bytes:
    """200: the callback is written down."""
    return _accepted(int(time.time()))


def unavailable(problem: Problem) -> bytes:
    """503: it is not, as far as we know."""
    body = json.dumps(document(*problem)).encode()
    return _bytes("503 Service Unavailable", "application/problem+json", body, f"Retry-After: {AGAIN_S}")


@functools.lru_cache(maxsize=1)
def _accepted(_second: int) -> bytes:
    return _bytes("200 OK", "application/json", b"{}")


def _bytes(status: str, content_type: str, body: bytes, *more: str) -> bytes:
    date = formatdate(time.time(), usegmt=True)
    head = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", f"Date: {date}"]
    return "\r\n".join([*head, *more, "", ""]).encode() + body
