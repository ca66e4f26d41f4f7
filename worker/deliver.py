"""Deliver events to one endpoint: put what is new into lanes, send the first of each lane that is due.

An endpoint that is slow or away delays nobody but itself: it has so many posts under way at most, and what it doesn't
take is tried again later, lane by lane. It counts as taken by any 2xx. Delivered at least once, in order per speaker.
So many events wait in lanes at most; further ones stay in the stream until there is room.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis.exceptions import RedisError
from standardwebhooks import Webhook

from config.process import end
from worker.contract.events import EventDocument, fits
from worker.store.endpoint import Endpoint
from worker.store.endpoints import NO_SPEAKER, Endpoints
from worker.store.events import EventLog, order
from worker.store.faring import Fared, Waiting

# Nine more tries, three days in all: the delays that the Standard Webhooks specification gives as an example, to 72 h.
DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 64_800, 79_200)
_JITTER = 0.2
_YOUNG = timedelta(seconds=(1 - _JITTER) * sum(DELAYS_S))  # what is younger is not given up, however often it was tried
_MOST = 8  # posts under way to one endpoint
_AHEAD = 16  # events of one lane that are sent in one go
_PAUSE_S = 5.0  # a lane whose outcome could not be written down is not sent again at once
_OK, _MULTIPLE_CHOICES, _GONE = 200, 300, 410
GONE = "it answered 410 Gone"

_log = structlog.get_logger()

Document = Callable[[str], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a post ended: a status, or in a word why there is none; and what the other side says of the next try."""

    status: int = 0
    reason: str = ""
    retry_after_s: float = 0.0

    @property
    def is_taken(self) -> bool:
        """Whether the event was delivered."""
        return _OK <= self.status < _MULTIPLE_CHOICES

    def __str__(self) -> str:
        """As `health` tells it."""
        return self.reason or str(self.status)


Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Ways:
    """What a pump works with.

    Attributes:
        post: posts a body with headers to a URL; never raises.
        document: the speaker's document as it is now.
        now: the clock.
        read: events of the stream that are taken in one go.
        queued_most: events in the lanes of an endpoint; 100,000 are 5 MB of Redis, more or less.
    """

    log: EventLog
    endpoints: Endpoints
    post: Post
    document: Document
    now: Callable[[], datetime]
    read: int = 500
    queued_most: int = 100_000


class Pump:
    """Brings events to one endpoint. Only one may run for it at a time."""

    def __init__(self, ways: Ways, endpoint_id: str) -> None:
        self._ways = ways
        self._id = endpoint_id
        self._lanes: dict[str, asyncio.Task[None]] = {}

    async def step(self) -> bool:
        """Take what is new, begin what is due; False once the endpoint is gone or disabled."""
        endpoint = await self._ways.endpoints.get(self._id)
        if endpoint is None or endpoint.disabled:
            return False
        while await self._take_new(endpoint):
            pass
        while not await self._begin_due():
            pass
        return True

    async def _begin_due(self) -> bool:
        """Begin lanes that are due; False if one has ended meanwhile, of which what was read is no longer true."""
        under_way = set(self._lanes)
        free = _MOST - len(under_way)
        if free > 0:  # those under way stand among the due
            due = await self._ways.endpoints.due(self._id, now_ms=self._now_ms(), limit=_MOST, events=_AHEAD)
            begun = [one for one in due if one.name not in under_way][:free]
            newest = await self._ways.endpoints.get(self._id) if begun else None
            if newest and not newest.disabled:
                self._lanes |= {one.name: asyncio.create_task(self._run(newest, one)) for one in begun}
        return under_way <= self._lanes.keys()

    async def landed(self, *, or_news: asyncio.Event | None = None, at_most_s: float | None = None) -> None:
        """Return once one of those under way has ended; with news or a time, at these too, if that is earlier."""
        waits = [asyncio.create_task(or_news.wait())] if or_news else []
        if waits or self._lanes:
            await asyncio.wait([*self._lanes.values(), *waits], timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)
        await end(*waits)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._lanes

    async def close(self) -> None:
        """Break off; what was under way will be sent again."""
        await end(*self._lanes.values())

    async def _take_new(self, endpoint: Endpoint) -> bool:
        """Put events that the endpoint wants into their lanes; whether there may be more."""
        seen, queued = await self._ways.endpoints.stand(self._id)
        found = await self._ways.log.after(seen, limit=self._ways.read) if queued < self._ways.queued_most else []
        if not found:
            return False
        first = await self._ways.log.missed_before(seen)
        chosen = [
            (event.speaker_id or NO_SPEAKER, place)
            for place, event in found
            if event and fits(event.type, endpoint.types)
        ]
        taken = await self._ways.endpoints.take(
            self._id, seen=seen, until=found[-1][0], chosen=chosen, now_ms=self._now_ms(),
            missed_ms=order(first)[0] if first else 0,
        )  # fmt: skip
        unreadable = [place for place, event in found if event is None]
        if taken and (first or unreadable):
            _log.warning("events.missed", endpoint=self._id, behind=seen, forgotten_until=first, unreadable=unreadable)
        return taken and len(found) == self._ways.read  # not taken: it is gone, or somebody else leads

    async def _run(self, endpoint: Endpoint, waiting: Waiting) -> None:
        """Send a lane's first events, until one is not taken."""
        try:
            await self._send_in_order(endpoint, waiting)
        except (RedisError, OSError) as error:
            _log.warning("events.interrupted", endpoint=self._id, lane=waiting.name, reason=type(error).__name__)
            await asyncio.sleep(_PAUSE_S)
        finally:
            del self._lanes[waiting.name]

    async def _send_in_order(self, endpoint: Endpoint, waiting: Waiting) -> None:
        done, forgotten, answer, again_s, failed = list[str](), 0, None, None, ""
        for place, event in zip(waiting.places, await self._ways.log.several(waiting.places), strict=True):
            if event is None:
                forgotten += 1
            else:
                answer = await self._send(endpoint, event)
                if not answer.is_taken:
                    is_young = self._ways.now() - event.time < _YOUNG
                    again_s = _again_s(0 if done else waiting.tries, answer, is_young=is_young)
                    failed = place
                    break
            done.append(place)
        now_ms = self._now_ms()
        fared = Fared(
            done=tuple(done),
            forgotten=forgotten,
            failed=failed,
            failure=str(answer) if failed else "",
            again_ms=None if again_s is None else now_ms + round(again_s * 1000),
        )
        await self._ways.endpoints.settle(self._id, waiting.name, fared, now_ms=now_ms)
        if answer and answer.status == _GONE:
            await self._ways.endpoints.disable(self._id, GONE)
        self._tell(waiting, answer, sent=len(done), again_s=again_s, forgotten=forgotten)

    async def _send(self, endpoint: Endpoint, event: EventDocument) -> Answer:
        """Post an event; a defect of ours is tried again as an answer would be, and never all the time."""
        try:
            if endpoint.is_full and event.speaker_id:
                event = event.model_copy(update={"speaker": await self._ways.document(event.speaker_id)})
            body = json.dumps(event.to_wire(), separators=(",", ":"), ensure_ascii=False)
            headers = signed(event.id, body, secrets=endpoint.signing(self._ways.now()), now=self._ways.now())
            return await self._ways.post(endpoint.url, body.encode(), headers)
        except (RedisError, OSError):
            raise
        except Exception:  # noqa: BLE001 -- told in the log; all other events depend on it
            _log.exception("events.failed", endpoint=self._id, event_id=event.id)
            return Answer(reason="internal_error")

    def _tell(
        self, waiting: Waiting, answer: Answer | None, *, sent: int, again_s: float | None, forgotten: int
    ) -> None:
        failed = answer is not None and not answer.is_taken
        what = "events.given_up" if failed and again_s is None else "events.refused" if failed else "events.delivered"
        (_log.warning if failed or forgotten else _log.info)(
            what,
            endpoint=self._id,
            lane=waiting.name,
            sent=sent - forgotten,
            forgotten=forgotten or None,
            answer=str(answer) if answer else None,
            attempt=waiting.tries + 1 if failed and not sent else None,
            again_s=None if again_s is None else round(again_s, 1),
        )

    def _now_ms(self) -> int:
        return round(self._ways.now().timestamp() * 1000)


def signed(event_id: str, body: str, *, secrets: tuple[str, ...], now: datetime) -> dict[str, str]:
    """Headers of Standard Webhooks: one signature for each secret, so that a secret can be replaced without a gap.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    return {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event_id, now, body) for secret in secrets),
    }


def _again_s(tries: int, answer: Answer, *, is_young: bool) -> float | None:
    """Seconds until the next try, after so many before this one; None if it was the last.

    Whenever the endpoint is back all that waits is tried at once, so that the tries may be used up early.
    """
    if tries >= len(DELAYS_S) and not is_young:
        return None
    delay_s = DELAYS_S[min(tries, len(DELAYS_S) - 1)]
    return max(delay_s * random.uniform(1 - _JITTER, 1 + _JITTER), answer.retry_after_s)  # noqa: S311 -- jitter
