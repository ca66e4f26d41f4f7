"""The journal of callbacks: each as it came, before anything is made of it.

`write` takes a group in one round trip: the entries and the jobs that will reconcile them, all or nothing. A write
whose answer was lost may be made again: two entries of one callback do no harm, as reconciling is safe to repeat.
Refused callbacks go to a stream of their own, cut short and few, so that nobody fills the memory with them. Tokens and
signatures are in neither.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import NamedTuple

from arq.constants import job_key_prefix
from redis.asyncio import Redis

from worker.queue import jobs
from worker.queue.jobs import Job
from worker.store import keys

ACCEPTED = "accepted"
_REFUSED_KEPT = 1_000  # with what is kept of each: 5 MB
_REFUSED_BODY_BYTES = 4_096
_REFUSED_HEADER_BYTES = 1_024
_MARK = "$callback"  # stands for the id until the stream has given it
_REPLAY = ":replay"
_PAGE = 500
_AT_ONCE = 100  # looked at by one script call; with bodies of 64 KiB that is 6 MB
_UINT64 = 2**64
_LONGEST_ID = 41  # two of those and a dash
_REFUSED_PREFIX = "r"  # both streams count their ids alone, so an id of a refused callback says that it is one
_WRITE, _FORGET = (
    resources.files("worker.store").joinpath(f"{name}.lua").read_text() for name in ("journal", "forget")
)


class Arrived(NamedTuple):
    """A callback that is accepted, before it has an id; headers as lines `name: value`."""

    at_ms: int
    speaker_id: str
    recording_id: str
    attempt_id: str
    headers: bytes
    body: bytes


class Refused(NamedTuple):
    """A callback that is not: why, and the beginning of it. The ids are empty where no token vouched for them."""

    verdict: str
    arrived: Arrived
    body_bytes: int

    @classmethod
    def cut(cls, arrived: Arrived, *, verdict: str, body_bytes: int) -> "Refused":
        """Keep no more than is allowed of what strangers send."""
        headers, body = arrived.headers[:_REFUSED_HEADER_BYTES], arrived.body[:_REFUSED_BODY_BYTES]
        return cls(verdict, arrived._replace(headers=headers, body=body), body_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One callback: the verdict, which attempt its token named, and the raw request without token and signature.

    `body_bytes` is the body's whole length where a refused body was cut.
    """

    callback_id: str
    verdict: str
    received_at: datetime
    speaker_id: str
    recording_id: str
    attempt_id: str
    headers: dict[str, str]
    body: bytes
    body_bytes: int

    @property
    def is_accepted(self) -> bool:
        """Whether it was written down to be reconciled."""
        return self.verdict == ACCEPTED


class Journal:
    """Callbacks in Redis for a set time and size.

    Args:
        redis: client that answers in bytes.
        account: all keys live under it.
        keep: accepted callbacks are dropped when they are older than this...
        most_bytes: ...or when headers and bodies together are more than this, the oldest first.
    """

    def __init__(self, redis: Redis, *, account: str, keep: timedelta, most_bytes: int) -> None:
        self._redis = redis
        self._account = account
        self._limits = (round(keep.total_seconds() * 1000), most_bytes)
        self._entries, self._bytes = keys.callbacks(account), keys.callback_bytes(account)
        self._write_keys = [self._entries, self._bytes, jobs.queue_name(account)]
        self._job = jobs.reconcile(account, _MARK)
        self._job_id = self._job.job_id.split(_MARK)
        self._job_key = (job_key_prefix + self._job.job_id).split(_MARK)
        self._write_script = redis.register_script(_WRITE)
        self._forget_script = redis.register_script(_FORGET)

    async def write(self, group: Sequence[Arrived], *, now: datetime) -> None:
        """Write callbacks and their jobs down in one round trip; returns once Redis has all of them."""
        payload = jobs.payload_of(self._job, now_ms=int(now.timestamp() * 1000)).split(_MARK.encode())
        args = [*self._job_key, *self._job_id, *payload, *(part for arrived in group for part in arrived)]
        await self._write_script(keys=self._write_keys, args=args)

    async def refuse(self, some: Sequence[Refused]) -> None:
        """Write refused callbacks down in one round trip; only the newest are kept."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for verdict, arrived, body_bytes in some:
                fields = _fields(arrived) | {"verdict": verdict, "body_bytes": body_bytes}
                pipe.xadd(keys.refused(self._account), fields, maxlen=_REFUSED_KEPT, approximate=False)  # type: ignore[arg-type]  # an invariant dict
            await pipe.execute()

    async def get(self, callback_id: str) -> Callback | None:
        """One callback, or None where there is none or its time is over."""
        refused = callback_id.startswith(_REFUSED_PREFIX)
        entry_id = callback_id.removeprefix(_REFUSED_PREFIX)
        if not _is_id(entry_id):
            return None
        found = await self._redis.xrange(self._stream(refused=refused), entry_id, entry_id)
        return _callback(*found[0], refused=refused) if found else None

    async def page(self, *, before: str | None, limit: int, refused: bool = False) -> list[Callback]:
        """Callbacks that came before one of them, newest first."""
        entry_id = (before or "").removeprefix(_REFUSED_PREFIX)
        if _is_id(entry_id) and not any(map(int, entry_id.split("-"))):
            return []  # nothing is before 0-0, and Redis calls the question an error
        last = f"({entry_id}" if _is_id(entry_id) else "+"
        found = await self._redis.xrevrange(self._stream(refused=refused), last, "-", count=limit)
        return [_callback(entry_id, fields, refused=refused) for entry_id, fields in found]

    async def each(self, *, speaker_id: str | None = None, attempt_id: str | None = None) -> AsyncIterator[Callback]:
        """All accepted callbacks of a speaker or an attempt, newest first; reads the whole journal, page by page."""
        before = None
        while found := await self.page(before=before, limit=_PAGE):
            for callback in found:
                if speaker_id in {None, callback.speaker_id} and attempt_id in {None, callback.attempt_id}:
                    yield callback
            before = found[-1].callback_id

    def replay(self, callback_id: str) -> Job:
        """The job that reconciles a callback anew; while it waits, the callback is not forgotten."""
        job = jobs.reconcile(self._account, callback_id)
        return replace(job, job_id=job.job_id + _REPLAY)

    async def forget_old(self) -> int:
        """Drop what is too old or too much, the oldest first; a callback whose job waits is kept. Returns how many."""
        keep_ms, most_bytes = self._limits
        first, total = "-", 0
        dropped: int
        last: bytes
        while True:
            dropped, last = await self._forget_script(
                keys=[self._entries, self._bytes],
                args=[keep_ms, most_bytes, first, _AT_ONCE, _REPLAY, *self._job_key],
            )
            total += dropped
            if not dropped or not last:
                return total
            first = f"({last.decode()}"

    def _stream(self, *, refused: bool) -> str:
        return keys.refused(self._account) if refused else self._entries


def _is_id(text: str) -> bool:
    """Whether it is an id as a stream gives them; others would be an error to Redis, or mean many entries."""
    parts = text.split("-") if len(text) <= _LONGEST_ID and text.isascii() else []
    return len(parts) == 2 and all(part.isdecimal() and int(part) < _UINT64 for part in parts)  # noqa: PLR2004 -- ms-n


def _fields(arrived: Arrived) -> dict[str, str | int | bytes]:
    names = ("at", "speaker", "recording", "attempt", "headers", "body")
    return dict(zip(names, arrived, strict=True))


def _callback(entry_id: bytes, fields: dict[bytes, bytes], *, refused: bool) -> Callback:
    body = fields[b"body"]
    return Callback(
        callback_id=(_REFUSED_PREFIX if refused else "") + entry_id.decode(),
        verdict=fields.get(b"verdict", ACCEPTED.encode()).decode(),
        received_at=datetime.fromtimestamp(int(fields[b"at"]) / 1000, UTC),
        speaker_id=fields[b"speaker"].decode(),
        recording_id=fields[b"recording"].decode(),
        attempt_id=fields[b"attempt"].decode(),
        headers=dict(_header(line) for line in fields[b"headers"].splitlines()),
        body=body,
        body_bytes=int(fields.get(b"body_bytes", len(body))),
    )


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b": ")
    return name.decode("latin-1"), value.decode("latin-1")
