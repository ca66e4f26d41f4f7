"""Endpoints outside, by a clock of their own, and the line that brings events to them step by step."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.lives import START
from worker.deliver import Answer, Pump, Ways
from worker.store.endpoint import Endpoint, Secret
from worker.store.endpoints import Endpoints
from worker.store.events import BEGIN, EventLog

SECRETS = ("whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8)


@dataclass
class Outside:
    """Endpoints outside, and the time there: what they were sent, and how they answer."""

    now: datetime = START
    answers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    got: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    seen: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.seen.append((url, body, headers))
        if url in self.held:
            await self.held[url].wait()
        queue = self.answers[url]
        status = queue.pop(0) if queue else 200
        if status == 200:
            self.got[url].append(json.loads(body))
        return Answer(status) if status else Answer(reason="TimeoutError")

    async def document(self, speaker_id: str) -> dict[str, Any] | None:
        return {"speakerId": speaker_id}

    def order(self, url: str) -> dict[str, list[int]]:
        """Of each speaker, the numbers of the events in the order in which they came."""
        found: dict[str, list[int]] = defaultdict(list)
        for event in self.got[url]:
            found[event["speakerId"]].append(event["data"]["count"])
        return found


class Line:
    """The log and the endpoints of one account, with the world outside."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.log = EventLog(redis, account=settings.account, kept=10_000)
        self.endpoints = Endpoints(redis, account=settings.account)
        self.outside = Outside()
        self.ways = Ways(self.log, self.endpoints, self.outside.post, self.outside.document, lambda: self.outside.now)

    async def add(self, name: str, *types: str, secrets: tuple[str, ...] = SECRETS[:1]) -> Pump:
        endpoint = Endpoint(
            endpoint_id=name,
            url=f"http://{name}",
            types=types,
            is_full=False,
            description="",
            created_at=START,
            secrets=tuple(Secret(value=one) for one in secrets),
        )
        await self.endpoints.add(endpoint, behind=BEGIN)
        return Pump(self.ways, name)

    async def tell(self, speaker: str, number: int) -> None:
        await self.log.tell("callback.refused", {"verdict": "x", "count": number}, at=START, speaker_id=speaker)

    async def work(self, pump: Pump) -> None:
        """Step until nothing is due."""
        while await pump.step() and not pump.is_idle:
            await pump.landed()

    async def wait(self, name: str, pump: Pump, *, days: float = 30) -> None:
        """Let time pass until nothing waits any more."""
        end = self.outside.now + timedelta(days=days)
        await self.work(pump)
        while (due := await self.endpoints.next_due_ms(name)) is not None and self.outside.now < end:
            self.outside.now = max(self.outside.now, datetime.fromtimestamp(due / 1000, UTC)) + timedelta(
                milliseconds=1
            )
            if not await pump.step():
                return
            await pump.landed()
