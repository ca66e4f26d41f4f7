"""Reading a callback that is quite ordinary: all of it there, nothing after it, every byte of the head as it should be.

Strict on purpose, and no parser of HTTP: what it reads, aiohttp's parser reads the same way (a test holds one against
the other), and all else it leaves to aiohttp. Pure: bytes in, parts out.
"""

import re
from typing import NamedTuple

Headers = list[tuple[bytes, bytes]]  # names in lower case

_TOKEN = rb"[!#-'*+\-.0-9A-Z^-z|~]+"  # RFC 9110, 5.6.2
_HEAD = re.compile(
    rb"POST (/v1/callbacks/([\w.-]{1,2000})) HTTP/1\.1\r\n"
    rb"((?:" + _TOKEN + rb":[\t -~\x80-\xff]{0,2000}\r\n){1,50})\r\n"
)
_LENGTH = re.compile(rb"[1-9]\d{0,8}")
_UNUSUAL = frozenset(
    {b"content-encoding", b"expect", b"sec-websocket-key1", b"trailer", b"transfer-encoding", b"upgrade"}
)
_STAYS = b"keep-alive"


class Plain(NamedTuple):
    """A callback: the last part of its path, its headers, its body."""

    token: str
    headers: Headers
    body: bytes


def read(data: bytes) -> Plain | None:
    """The callback that the bytes are, or None if they are anything else, more or less than one."""
    head = _HEAD.match(data)
    if head is None:
        return None
    lines = [line.partition(b":") for line in head[3].split(b"\r\n")[:-1]]
    headers = [(name.lower(), value.strip(b" \t")) for name, _, value in lines]
    body = data[head.end() :]
    return Plain(head[2].decode(), headers, body) if _is_usual(headers, len(body)) else None


def _is_usual(headers: Headers, length: int) -> bool:
    """Whether the body is as long as Content-Length says, nothing else has a say in it, and no header comes twice."""
    known = dict(headers)
    said = known.get(b"content-length", b"")
    return (
        len(known) == len(headers)
        and b"host" in known
        and _LENGTH.fullmatch(said) is not None
        and int(said) == length
        and _UNUSUAL.isdisjoint(known)
        and known.get(b"connection", _STAYS).lower() == _STAYS
    )
