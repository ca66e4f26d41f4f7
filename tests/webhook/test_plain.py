"""What the door reads by itself, aiohttp's parser reads the same way; all else it leaves alone."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from hypothesis import example, given
from hypothesis import strategies as st

from webhook.plain import Plain, read

HEAD = b"POST /v1/callbacks/2.abc-_.x HTTP/1.1\r\n"
BODY = b'{"a": 1}'
LENGTH = b"Content-Length: 8\r\n"
GOOD = HEAD + b"Host: door\r\nUser-Agent:api/1\r\nX-Some:  \t v: 1 \r\n" + LENGTH + b"\r\n" + BODY


Parse = Callable[[bytes], tuple[RawRequestMessage, bytes] | None]


@pytest.fixture(scope="module")
def by_aiohttp() -> Iterator[Parse]:
    """The one whole request that bytes are, if they are one."""
    loop = asyncio.new_event_loop()  # the parser wants one, though it never runs

    def parse(data: bytes) -> tuple[RawRequestMessage, bytes] | None:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=8190, max_field_size=8190)
        try:
            messages, upgraded, tail = parser.feed_data(data)
        except HttpProcessingError:
            return None
        if len(messages) != 1 or upgraded or tail or not messages[0][1].is_eof():
            return None
        return messages[0][0], messages[0][1].read_nowait()

    yield parse
    loop.close()


def agreed(data: bytes, by_aiohttp: Parse) -> Plain | None:
    """What is read; where it is anything, aiohttp must read the same."""
    plain = read(data)
    if plain is not None:
        parsed = by_aiohttp(data)
        assert parsed is not None
        message, body = parsed
        assert (message.method, message.path) == ("POST", f"/v1/callbacks/{plain.token}")
        assert [(name.lower(), value) for name, value in message.raw_headers] == plain.headers
        assert body == plain.body
        assert (message.version.major, message.version.minor, message.should_close) == (1, 1, False)
        assert (message.upgrade, message.chunked, message.compression) == (False, False, None)
    return plain


def test_an_ordinary_callback_is_read(by_aiohttp: Parse) -> None:
    plain = agreed(GOOD, by_aiohttp)
    assert plain is not None
    assert plain.token == "2.abc-_.x"
    assert plain.headers[1:3] == [(b"user-agent", b"api/1"), (b"x-some", b"v: 1")]
    assert plain.body == BODY


ODD = {
    "nothing": b"",
    "another method": GOOD.replace(b"POST", b"PUT"),
    "another route": GOOD.replace(b"callbacks", b"enrollments"),
    "no token": GOOD.replace(b"2.abc-_.x", b""),
    "more path": GOOD.replace(b"2.abc-_.x", b"2/replay"),
    "a query": GOOD.replace(b"2.abc-_.x", b"2?x=1"),
    "an escape": GOOD.replace(b"2.abc-_.x", b"2%2E"),
    "an old version": GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a new version": GOOD.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "two blanks": GOOD.replace(b" HTTP", b"  HTTP"),
    "bare line feeds": GOOD.replace(b"\r\n", b"\n"),
    "one bare line feed": GOOD.replace(b"door\r\n", b"door\n"),
    "a carriage return inside": GOOD.replace(b"door", b"do\ror"),
    "a folded line": GOOD.replace(b"door\r\n", b"door\r\n more\r\n"),
    "a nul byte": GOOD.replace(b"door", b"do\0or"),
    "a blank before the colon": GOOD.replace(b"Host:", b"Host :"),
    "no colon": GOOD.replace(b"Host: door", b"Host door"),
    "an empty name": GOOD.replace(b"Host:", b":"),
    "no header": HEAD + b"\r\n",
    "no host": GOOD.replace(b"Host: door\r\n", b""),
    "two hosts": GOOD.replace(LENGTH, LENGTH + b"host: other\r\n"),
    "a header twice": GOOD.replace(LENGTH, LENGTH + b"X-Some: 2\r\n"),
    "no body": GOOD.replace(b"Length: 8", b"Length: 0").removesuffix(BODY),
    "no length": GOOD.replace(LENGTH, b""),
    "two lengths": GOOD.replace(LENGTH, LENGTH * 2),
    "two different lengths": GOOD.replace(LENGTH, LENGTH + b"content-length: 9\r\n"),
    "a list of lengths": GOOD.replace(b"Length: 8", b"Length: 8, 8"),
    "a signed length": GOOD.replace(b"Length: 8", b"Length: +8"),
    "a zero before": GOOD.replace(b"Length: 8", b"Length: 08"),
    "a longer body": GOOD + b"x",
    "a shorter body": GOOD[:-1],
    "two requests": GOOD + GOOD,
    "half a head": GOOD[:60],
    "chunks": GOOD.replace(LENGTH, LENGTH + b"Transfer-Encoding: chunked\r\n"),
    "chunks alone": GOOD.replace(LENGTH, b"transfer-encoding: identity\r\n"),
    "an expectation": GOOD.replace(LENGTH, LENGTH + b"Expect: 100-continue\r\n"),
    "an upgrade": GOOD.replace(LENGTH, LENGTH + b"Upgrade: h2c\r\nConnection: upgrade\r\n"),
    "the last request": GOOD.replace(LENGTH, LENGTH + b"Connection: close\r\n"),
    "several options": GOOD.replace(LENGTH, LENGTH + b"Connection: keep-alive, close\r\n"),
    "packed": GOOD.replace(LENGTH, LENGTH + b"Content-Encoding: gzip\r\n"),
    "a head without end": HEAD + b"A: b\r\n" * 100 + LENGTH + b"\r\n" + BODY,
    "a long header": GOOD.replace(b"door", b"d" * 9000),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_anything_else_is_left_alone(data: bytes) -> None:
    assert read(data) is None


pieces = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b"/",
        b"%",
        LENGTH,
        BODY,
        HEAD,
        b"Connection: Keep-Alive\r\n",
    ]
) | st.binary(max_size=4)


@given(at=st.integers(0, len(GOOD)), cut=st.integers(0, 6), put=st.lists(pieces, max_size=3))
@example(at=len(HEAD), cut=0, put=[b"Connection: Keep-Alive\r\n"])
def test_whatever_is_read_aiohttp_reads_alike(by_aiohttp: Parse, at: int, cut: int, put: list[bytes]) -> None:
    agreed(GOOD[:at] + b"".join(put) + GOOD[at + cut :], by_aiohttp)


known = ["Host", "Content-Type", "Connection", "Date", "ETag", "Server", "Upgrade", "Sec-WebSocket-Key1", "Cookie"]
names = st.sampled_from(known) | st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12)
values = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=20)


@given(headers=st.lists(st.tuples(names, values), max_size=6), body=st.binary(max_size=30), shown=st.integers(-1, 1))
def test_any_headers_and_any_body_are_read_alike(
    by_aiohttp: Parse, headers: list[tuple[str, str]], body: bytes, shown: int
) -> None:
    lines = [f"{name}:{value}\r\n".encode("latin-1") for name, value in headers]
    length = f"content-length: {len(body) + shown}\r\n".encode()
    plain = agreed(HEAD + b"Host: door\r\n" + b"".join(lines) + length + b"\r\n" + body, by_aiohttp)
    assert plain is None or shown == 0
