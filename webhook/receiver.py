"""webhookUrl: verify, write down, answer. Nothing else happens in the request.

The raw callback and the job that will reconcile it are written in one step, together with those that arrived at the
same time, and each is answered with 200 only once that is acknowledged. With Redis away the answer is 503, and the
sender tries again. What is refused is written down elsewhere, without its token, and counted.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from aiohttp import web
from multidict import istr
from redis.exceptions import RedisError

from config.points import point
from config.settings import Settings
from webhook.answers import AGAIN_S, BUSY, LOST, Problem
from webhook.body import at_hand, read_body
from webhook.groups import FullError, Groups, NotWrittenError
from webhook.metrics import Metrics
from webhook.plain import Headers
from webhook.problems import problem
from webhook.refusals import Refusals
from webhook.signature import Proof
from worker.contract.callback import parse
from worker.contract.token import Claims, KeyRing, verify
from worker.enrollment.errors import RequestError
from worker.store.events import EventLog
from worker.store.journal import ACCEPTED, Arrived, Journal, Refused

_KEPT_HEADERS = frozenset(
    {b"content-type", b"user-agent", b"rcrequestid", b"date", b"webhook-id", b"webhook-timestamp"}
)
_ECHO = istr("Validation-Token")
_LONGEST_ECHO = 256  # an answer to a validation must stay under 1 KiB
_log = structlog.get_logger()


class Receiver:
    """Takes callbacks in.

    Args:
        settings: account, keys and limits.
        journal: where callbacks and their jobs are written.
        events: where it is told that callbacks were refused.
        metrics: where verdicts are counted.
        now: the clock.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        journal: Journal,
        events: EventLog,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        webhook = settings.webhook
        self._account, self._most_bytes = settings.account, webhook.max_body_bytes
        self._keys = KeyRing(webhook.token_key, webhook.former_token_keys)
        self._proof = Proof(webhook)
        self._journal, self._metrics, self._now = journal, metrics, now
        self._groups = Groups[Arrived](self._write, timeout_s=settings.redis.timeout.total_seconds())
        self._refusals = Refusals(journal, events, now=now)

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one callback; the last part of its path is its token.

        Raises:
            RequestError: it is refused; the code says why.
        """
        arrived, echo = await self._verified(request), request.headers.get(_ECHO, "")[:_LONGEST_ECHO]
        try:
            if arrived.body:  # no body: a validation, nothing to write down
                await self._groups.put(arrived)
        except (NotWrittenError, FullError) as failure:
            return problem(*self.problem_of(failure), headers={"Retry-After": AGAIN_S})
        return web.json_response({}, headers={_ECHO: echo} if echo else None)

    async def _verified(self, request: web.Request) -> Arrived:
        claims, body, now = None, b"", self._now()
        headers = [(name.lower(), value) for name, value in request.raw_headers]
        try:
            claims = self._claims(request.match_info["callback_id"], now=now)
            body = await read_body(request, limit=self._most_bytes)
            if body or _ECHO not in request.headers:
                self._check(headers, body, now=now)
        except RequestError as error:
            self._refuse(error.code, request, _arrived(claims, headers, body or at_hand(request), now=now))
            raise
        return _arrived(claims, headers, body, now=now)

    def admit(self, token: str, headers: Headers, body: bytes) -> Arrived:
        """Verify a callback that is all there; nothing is written or counted.

        Raises:
            RequestError: it is refused.
        """
        now = self._now()
        claims = self._claims(token, now=now)
        if len(body) > self._most_bytes:
            raise RequestError("body_too_large", f"{len(body)} bytes, {self._most_bytes} allowed", status=413)
        self._check(headers, body, now=now)
        return _arrived(claims, headers, body, now=now)

    def take(self, arrived: Arrived, told: Callable[[Exception | None], None]) -> None:
        """Have a callback written down; `told` is called once it is, or with the reason why it may not be."""
        try:
            self._groups.add(arrived, told)
        except FullError as failure:
            told(failure)

    def problem_of(self, failure: Exception) -> Problem:
        """Count a callback that was not written down; returns what its sender is told."""
        told = BUSY if isinstance(failure, FullError) else LOST
        self._metrics.verdict(told[1])
        return told

    def _claims(self, token: str, *, now: datetime) -> Claims:
        return verify(token, keys=self._keys, account=self._account, now=now)

    def _check(self, headers: Headers, body: bytes, *, now: datetime) -> None:
        if self._proof.is_required:
            self._proof.check(headers, body, now=now)
        parse(body)

    async def _write(self, group: Sequence[Arrived]) -> None:
        point("callback.verified")
        with self._metrics.write_s.time():
            try:
                await self._journal.write(group, now=self._now())
            except (RedisError, OSError) as error:
                _log.warning("callbacks.not_written", number=len(group), reason=type(error).__name__)
                raise
            except Exception:
                _log.exception("callbacks.not_written", number=len(group))
                raise
        point("callback.written")
        self._metrics.verdict(ACCEPTED, len(group))
        self._metrics.group_size.observe(len(group))

    def _refuse(self, code: str, request: web.BaseRequest, arrived: Arrived) -> None:
        self._metrics.verdict(code)
        size = max(request.content_length or 0, len(arrived.body))
        self._refusals.add(Refused.cut(arrived, verdict=code, body_bytes=size))

    async def close(self) -> None:
        """Write what was taken in."""
        await self._groups.close()
        await self._refusals.close()


def _arrived(claims: Claims | None, headers: Headers, body: bytes, *, now: datetime) -> Arrived:
    kept = [name + b": " + value for name, value in headers if name in _KEPT_HEADERS]
    ids = (claims.speaker_id, claims.recording_id, claims.attempt_id) if claims else ("", "", "")
    return Arrived(int(now.timestamp() * 1000), *ids, b"\n".join(kept), body)
