"""The load generator: keep-alive HTTP/1.1 over raw protocols, one process; wrk and wrk2 are not everywhere installed.

Closed loop (`rate` 0): every connection sends its next request as soon as it has its answer, as wrk does. Open loop:
requests are due at fixed times whether or not the server keeps up, and latency counts from the time at which a request
was due, so that a stall is seen by all that had to wait for it (wrk2's rule). Requests are made before the clock runs.

In: `PORT SECONDS COUNT RATE ACCOUNT KEY`; it ends after so many seconds or answers, 0: no limit. Out: a line when the
warm-up is over and counting begins, and one JSON object at the end.
"""

import asyncio
import contextlib
import json
import random
import re
import sys
import time
from array import array
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import uvloop
from pydantic import SecretStr

from worker.contract.token import Claims, mint

_CONNECTIONS = 64
_REQUESTS = 2_000  # different ones, sent in turn
_WARM_UP_S = 0.5
_TICK_S = 0.001  # libuv's timers are no finer
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200"


@dataclass(frozen=True, slots=True)
class Result:
    """What one run gave: answers with 200 and others, seconds, and the latencies of the good ones in ms."""

    answered: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    longest_ms: float

    @property
    def per_s(self) -> float:
        return self.answered / self.seconds


class _Load:
    """Requests, connections and what came of them."""

    def __init__(self, requests: list[bytes], *, rate: float, count: int) -> None:
        self.rate = rate
        self.idle: deque[_Connection] = deque()
        self.due: deque[float] = deque()
        self.took = array("d")
        self.failed = 0
        self.counting = False
        self.is_enough = asyncio.Event()
        self._count = count
        self._requests = requests
        self._next = 0
        self._began = time.perf_counter()
        self._planned = 0

    def request(self) -> bytes:
        self._next = (self._next + 1) % len(self._requests)
        return self._requests[self._next]

    def free(self, connection: "_Connection") -> None:
        """A connection has its answer: what is due goes out at once, in a closed loop the next one."""
        if self.due:
            connection.send(since=self.due.popleft())
        elif self.rate:
            self.idle.append(connection)
            self.send_due()
        else:
            connection.send(since=time.perf_counter())

    def answered(self, *, since: float, ok: bool) -> None:
        if not self.counting:
            return
        if ok:
            self.took.append(time.perf_counter() - since)
            if len(self.took) == self._count:
                self.is_enough.set()
        else:
            self.failed += 1

    async def keep_sending(self) -> None:
        """Look at every tick for what is due; the clock of the schedule doesn't wait for answers."""
        while True:
            self.send_due()
            await asyncio.sleep(_TICK_S)

    def send_due(self) -> None:
        """Send what is due by now; looked for at every answer too, so that ticks don't make bursts of it."""
        now = time.perf_counter()
        while (at := self._began + self._planned / self.rate) <= now:
            self._planned += 1
            if self.idle:
                self.idle.popleft().send(since=at)
            else:
                self.due.append(at)


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._since = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base

    def send(self, *, since: float) -> None:
        assert self._transport is not None
        self._since = since
        self._transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        end = received.find(b"\r\n\r\n")
        length = _LENGTH.search(received, 0, end) if end >= 0 else None
        if end < 0 or len(received) < end + 4 + (int(length[1]) if length else 0):
            self._received = received
            return
        self._received = b""
        self._load.answered(since=self._since, ok=received.startswith(_OK))
        self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._load.counting:
            raise SystemExit(f"the server closed a connection: {exc}")


def made_requests(account: str, key: str) -> list[bytes]:
    """Callbacks as the API sends them, in both styles, each with its own token."""
    chance = random.Random(1)  # noqa: S311 -- the same load every time
    expires_at = datetime.now(UTC) + timedelta(days=1)
    requests = []
    for number in range(_REQUESTS):
        speaker_id = f"agent_{chance.randrange(10**9)}"
        claims = Claims(
            account=account,
            speaker_id=speaker_id,
            recording_id=f"{chance.getrandbits(64):016x}",
            attempt_id=f"{chance.getrandbits(128):032x}",
            expires_at=expires_at,
        )
        body = json.dumps(_body(speaker_id, chance, bare=number % 2 == 0))
        requests.append(
            f"POST /v1/callbacks/{mint(claims, key=SecretStr(key))} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nUser-Agent: bench\r\nRCRequestId: {chance.getrandbits(128):032x}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
    return requests


def _body(speaker_id: str, chance: random.Random, *, bare: bool) -> dict[str, object]:
    speech_s = round(chance.uniform(4, 90), 2)
    status: dict[str, object] = {
        "speakerId": speaker_id,
        "enrollmentId": speaker_id,
        "enrollmentComplete": speech_s >= 12,
        "totalSpeechDuration": speech_s,
        "totalEnrollDuration": round(speech_s * 1.2, 2),
        "enrollmentQuality": chance.choice(["Poor", "Average", "Good", "High"]),
    }
    envelope: dict[str, object] = {
        "jobId": f"{chance.getrandbits(128):032x}",
        "api": "/ai/audio/v1/async/enrollments",
        "creationTime": "2026-11-21T10:00:00.000Z",
        "completionTime": "2026-11-21T10:00:01.000Z",
        "expirationTime": "2026-11-28T10:00:00.000Z",
        "status": "Success",
        "response": status,
    }
    return status if bare else envelope


async def run(port: int, requests: list[bytes], *, seconds: float, count: int, rate: float) -> Result:
    """Send for so long, or until so many are answered; rate in requests/s, 0 for a closed loop."""
    loop = asyncio.get_running_loop()
    load = _Load(requests, rate=rate, count=count)
    made = [await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port) for _ in range(_CONNECTIONS)]
    for _, connection in made:
        load.free(connection)
    sending = loop.create_task(load.keep_sending()) if rate else None
    await asyncio.sleep(_WARM_UP_S)
    sys.stdout.write("counting\n")
    sys.stdout.flush()
    began, load.counting = time.perf_counter(), True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(load.is_enough.wait(), seconds or None)
    load.counting, took = False, time.perf_counter() - began
    if sending:
        sending.cancel()
    for transport, _ in made:
        transport.abort()
    latencies = sorted(load.took)
    return Result(
        answered=len(latencies),
        failed=load.failed,
        seconds=took,
        p50_ms=_at(latencies, 0.5),
        p99_ms=_at(latencies, 0.99),
        longest_ms=_at(latencies, 1.0),
    )


def _at(latencies: list[float], share: float) -> float:
    return 1000 * latencies[min(len(latencies) - 1, int(share * len(latencies)))] if latencies else 0.0


def main() -> None:
    port, seconds, count, rate, account, key = sys.argv[1:]
    requests = made_requests(account, key)
    work = run(int(port), requests, seconds=float(seconds), count=int(count), rate=float(rate))
    json.dump(asdict(uvloop.run(work)), sys.stdout)


if __name__ == "__main__":
    main()
