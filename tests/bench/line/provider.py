"""A provider that costs next to nothing: takes samples, answers 202, and calls back at once, each once.

The contract's wire and no more of it (token, create, add, callback), without a web framework: what it costs would be
taken for the line's. Serves on the descriptor that is its argument, until it is ended.
"""

import asyncio
import json
import socket
import sys
import uuid
from collections import deque
from typing import cast
from urllib.parse import parse_qs, urlsplit

import uvloop

_TOKEN = json.dumps({"access_token": "t", "expires_in": 3600, "scope": "AI"}).encode()
_CALLERS = 8  # connections that callbacks go out by, one under way on each
_END_OF_HEAD = b"\r\n\r\n"


class _Caller(asyncio.Protocol):
    """Posts callbacks, one after the other."""

    def __init__(self, waiting: deque[bytes], idle: "list[_Caller]") -> None:
        self._waiting, self._idle = waiting, idle
        self._transport: asyncio.Transport | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.next()

    def next(self) -> None:
        assert self._transport is not None
        if self._waiting:
            self._transport.write(self._waiting.popleft())
        else:
            self._idle.append(self)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, rest = self._got.partition(_END_OF_HEAD)
        if found and len(rest) >= _length(head):
            if not head.startswith(b"HTTP/1.1 200"):
                sys.exit(f"the front door answered {head[:80]!r}")
            self._got = b""
            self.next()


class Provider:
    """Callbacks that wait, and the connections that are free."""

    def __init__(self) -> None:
        self.waiting = deque[bytes]()
        self.idle = list[_Caller]()
        self._opening: asyncio.Task[None] | None = None

    def answer(self, line: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Status line's end and body of the answer to a request."""
        method, target, _ = line.decode().split(" ")
        parts = urlsplit(target)
        if parts.path.endswith("/oauth/token"):
            return b"200 OK", _TOKEN
        asked = json.loads(body)
        speaker_id = asked["speakerId"] if method == "POST" else parts.path.rpartition("/")[2]
        job_id = str(uuid.uuid4())
        self._call_back(parse_qs(parts.query)["webhook"][0], job_id, speaker_id)
        return b"202 Accepted", json.dumps({"jobId": job_id}).encode()

    def _call_back(self, webhook: str, job_id: str, speaker_id: str) -> None:
        status = {
            "speakerId": speaker_id,
            "enrollmentComplete": True,
            "totalSpeechDuration": 12.5,
            "totalEnrollDuration": 14.0,
            "enrollmentQuality": "High",
        }
        body = json.dumps({"jobId": job_id, "status": "Success", "response": status}).encode()
        url = urlsplit(webhook)
        head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
        self.waiting.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(str(url.hostname), url.port or 80))
        elif self.idle:
            self.idle.pop().next()

    async def _open(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_CALLERS):
            await loop.create_connection(lambda: _Caller(self.waiting, self.idle), host, port)


class _Connection(asyncio.Protocol):
    """One of a client's connections."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._transport: asyncio.Transport | None = None
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._got += data
        while (end := self._got.find(_END_OF_HEAD)) >= 0:
            head, begins = bytes(self._got[:end]), end + len(_END_OF_HEAD)
            ends = begins + _length(head)
            if len(self._got) < ends:
                return
            status, body = self._provider.answer(head.partition(b"\r\n")[0], bytes(self._got[begins:ends]))
            del self._got[:ends]
            self._transport.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (status, len(body), body)
            )


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)


async def main(descriptor: int) -> None:
    provider = Provider()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(provider), sock=socket.socket(fileno=descriptor)
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
