"""Store, crash, redelivery and sweep together, in any order hypothesis can think of.

The real steps over real Redis and the real door, with a provider that honours no Idempotency-Key: no sample is ever
applied twice, and in the end none is lost.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import aiohttp
import pytest
from arq import Retry
from arq.constants import job_key_prefix
from hypothesis import HealthCheck
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from config import points
from config.settings import Settings
from tests.support.batches import batch_named
from tests.support.provider import Manner, Provider
from tests.support.serving import bound, serving, url_of
from tests.support.workshop import content_of, prepared, workshop
from webhook.app import create_app
from worker import functions
from worker.enrollment.errors import RequestError
from worker.enrollment.record import Record, SpeakerId
from worker.enrollment.states import SampleState, is_settled, sample_state
from worker.intake import Intake, Order
from worker.queue.connect import client, close
from worker.queue.jobs import queue_name
from worker.sources import HandedIn
from worker.store.batches import Batch
from worker.sweep import sweep
from worker.undo import undo

SPEAKERS = [SpeakerId("anna"), SpeakerId("ben")]
POINTS = (
    "submit.started",
    "submit.called",
    "submit.told",
    "reconcile.read",
    "reconcile.told",
    "look_up.asked",
    "undo.stored",
    "renew.begun",
    "renew.started",
    "renew.deleted",
)
MANNERS: tuple[Manner, ...] = ("accept", "accept_cut", "cut", "fail", "down")
_ROUNDS = 400  # of five minutes: longer than a sample is waited for
_Result = TypeVar("_Result")


class Crashed(BaseException):
    """The process ended here."""


class Line(RuleBasedStateMachine):
    """One account's life."""

    base: ClassVar[Settings]
    armed: ClassVar[str] = ""  # the point at which the process ends next

    def __init__(self) -> None:
        super().__init__()
        self.provider = Provider()
        self.ahead = timedelta()
        self.handed = dict.fromkeys(SPEAKERS, 0)
        self.batches: list[tuple[SpeakerId, Batch]] = []
        self.rolled_back = 0
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.do(self._open())

    def do(self, work: Awaitable[_Result]) -> _Result:
        async def awaited() -> _Result:
            return await work

        return self.runner.run(awaited())

    async def _open(self) -> None:
        base, account, listening = self.base, f"m{uuid.uuid4().hex[:12]}", bound()
        api_url = await self.stack.enter_async_context(serving(self.provider.app()))
        settings = base.model_copy(
            update={
                "account": account,
                "api": base.api.model_copy(update={"base_url": api_url}),
                "webhook": base.webhook.model_copy(update={"url": url_of(listening)}),
            }
        )
        await self.stack.enter_async_context(serving(create_app(settings), on=listening))
        self.http = await self.stack.enter_async_context(aiohttp.ClientSession())
        self.redis = client(settings.redis, queue_name=queue_name(account))
        self.stack.push_async_callback(close, self.redis)
        shop = await self.stack.enter_async_context(workshop(settings))
        self.shop = replace(shop, now=lambda: datetime.now(UTC) + self.ahead)
        self.intake = Intake(shop.store, shop.queue, policy=shop.policy)

    def teardown(self) -> None:
        """Let everything end, then look: all settled, none lost, none twice."""
        try:
            if hasattr(self, "shop"):
                self.do(self._settle())
        finally:
            self.do(self.stack.aclose())
            self.runner.close()

    async def _settle(self) -> None:
        for _ in range(_ROUNDS):
            while self.provider.orders:
                self.provider.work(0)
            while self.provider.callbacks:
                await self._send(*self.provider.callbacks.pop())
            for job_id in await self._queued():
                await self._run(job_id)
            self.ahead += timedelta(minutes=5)
            await sweep(self.shop)
            if not await self._queued() and not self.provider.orders and all(map(is_settled, await self._records())):
                break
        for record in await self._records():
            assert is_settled(record), record
            if record.erased_at:
                assert not self.provider.enrolled[record.speaker_id], record
                continue
            ours = [sample for sample in record.samples if sample_state(sample) is SampleState.APPLIED]
            theirs = self.provider.enrolled[record.speaker_id]
            assert sorted(theirs) == sorted(content_of(record.speaker_id, one.recording_id) for one in ours), record
            states = {sample_state(one) for one in record.samples if not one.withdrawn}
            assert states <= {SampleState.APPLIED, SampleState.PARKED}, record
            assert not any(one.withdrawn for one in ours), record
            assert self.provider.deleted[record.speaker_id] <= len(self.batches) + self.rolled_back, record

    async def _records(self) -> list[Record]:
        return [(await self.shop.store.get(speaker_id)).record for speaker_id in SPEAKERS]

    async def _queued(self) -> list[str]:
        return [member.decode() for member in await self.redis.zrange(self.shop.queue.name, 0, -1)]

    async def _run(self, job_id: str) -> None:
        """Run a job as a worker would: done, put off, or cut short by a crash and left where it is."""
        payload = await self.redis.get(job_key_prefix + job_id)
        job: dict[str, Any] = json.loads(payload)
        try:
            if job["f"] == "prepare":
                await prepared(self.shop, *job["a"])
            else:
                await getattr(functions, job["f"])({"shop": self.shop, "job_id": job_id, "job_try": 1}, *job["a"])
        except (Retry, Crashed):
            return
        await self.redis.zrem(self.shop.queue.name, job_id)
        await self.redis.delete(job_key_prefix + job_id)

    async def _send(self, webhook: str, body: dict[str, Any]) -> None:
        async with self.http.post(webhook, json=body) as answer:
            assert answer.status == 200, await answer.text()

    @initialize(knows_jobs=st.booleans(), began=st.booleans())
    def begin(self, *, knows_jobs: bool, began: bool) -> None:
        """Some samples are ready; the provider may know some speakers already, and forget its jobs."""
        self.provider.knows_jobs = knows_jobs
        for speaker_id in SPEAKERS:
            self.hand_in(speaker_id)
            self.hand_in(speaker_id)
        for job_id in self.do(self._queued()):
            self.do(self._run(job_id))
        if began:
            for job_id in self.do(self._queued()):
                self.do(self._run(job_id))
            while self.provider.orders:
                self.provider.work(0)

    @rule(speaker_id=st.sampled_from(SPEAKERS))
    def hand_in(self, speaker_id: SpeakerId) -> None:
        if self.handed[speaker_id] < 4:
            self.handed[speaker_id] += 1
            one = HandedIn(f"https://example.org/{self.handed[speaker_id]}.wav", "a.wav")
            order = Order(speaker_id=speaker_id, recordings=[one])
            with suppress(RequestError):  # erased
                self.do(self.intake.take_in(order, now=self.shop.now()))

    @rule(speaker_id=st.sampled_from(SPEAKERS), replaces=st.booleans(), same=st.booleans())
    def hand_in_as_a_batch(self, speaker_id: SpeakerId, *, replaces: bool, same: bool) -> None:
        """A recording that is new, or one that is known already."""
        if self.handed[speaker_id] < 4 and len(self.batches) < 4:
            self.handed[speaker_id] += not same
            one = HandedIn(f"https://example.org/{self.handed[speaker_id]}.wav", "a.wav")
            batch = batch_named(f"bat_{len(self.batches)}", at=self.shop.now())
            order = Order(speaker_id=speaker_id, recordings=[one], batch=batch.plan.batch_id, replaces=replaces)
            with suppress(RequestError):  # erased
                self.do(self.intake.take_in(order, now=self.shop.now()))
                self.batches.append((speaker_id, batch))

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), crash=st.booleans())
    def roll_back(self, data: st.DataObject, *, crash: bool) -> None:
        speaker_id, batch = data.draw(st.sampled_from(self.batches))
        self.rolled_back += 1
        Line.armed = "undo.stored" if crash else ""
        with suppress(Crashed):
            self.do(undo(self.shop, speaker_id, replace(batch, changed_at=self.shop.now())))
        Line.armed = ""

    @rule(speaker_id=st.sampled_from(SPEAKERS), sure=st.integers(0, 3))
    def erase(self, speaker_id: SpeakerId, sure: int) -> None:
        """Seldom, or there would be nobody left."""
        if sure == 0:
            self.do(self.intake.erase(speaker_id, now=self.shop.now()))

    @rule(speaker_id=st.sampled_from(SPEAKERS))
    def hand_in_but_crash_before_the_queue(self, speaker_id: SpeakerId) -> None:
        Line.armed = "intake.stored"
        with suppress(Crashed):
            self.hand_in(speaker_id)
        Line.armed = ""

    @precondition(lambda self: self.do(self._queued()))
    @rule(data=st.data(), crash=st.sampled_from(["", "", *POINTS]), manner=st.sampled_from(MANNERS))
    def work(self, data: st.DataObject, crash: str, manner: Manner) -> None:
        """Run any job that waits, however far it gets; its job stays if it crashed."""
        Line.armed = crash
        self.provider.manner = manner
        self.do(self._run(data.draw(st.sampled_from(self.do(self._queued())))))
        self.provider.manner = "accept"
        Line.armed = ""

    @precondition(lambda self: self.do(self._queued()))
    @rule(data=st.data())
    def lose_a_job(self, data: st.DataObject) -> None:
        """As a restored Redis might: the sweep finds what it was for, or the API is asked."""
        job_id = data.draw(st.sampled_from(self.do(self._queued())))
        self.do(self.redis.zrem(self.shop.queue.name, job_id))
        self.do(self.redis.delete(job_key_prefix + job_id))

    @precondition(lambda self: self.provider.orders)
    @rule(data=st.data())
    def apply(self, data: st.DataObject) -> None:
        self.provider.work(data.draw(st.integers(0, len(self.provider.orders) - 1)))

    @precondition(lambda self: self.provider.callbacks)
    @rule(data=st.data(), fate=st.sampled_from(["deliver", "repeat", "drop"]))
    def call_back(self, data: st.DataObject, fate: str) -> None:
        number = data.draw(st.integers(0, len(self.provider.callbacks) - 1))
        callback = self.provider.callbacks[number]
        if fate != "repeat":
            self.provider.callbacks.pop(number)
        if fate != "drop":
            self.do(self._send(*callback))

    @rule(data=st.data(), seconds=st.sampled_from([0, 5, 130, 600]), manner=st.sampled_from(MANNERS))
    def wait_then_do_all_there_is(self, data: st.DataObject, seconds: int, manner: Manner) -> None:
        self.ahead += timedelta(seconds=seconds)
        self.do(sweep(self.shop))
        self.provider.manner = manner
        for job_id in data.draw(st.permutations(self.do(self._queued()))):
            self.do(self._run(job_id))
        self.provider.manner = "accept"

    @invariant()
    def nothing_is_applied_twice(self) -> None:
        for speaker_id, heard in self.provider.enrolled.items():
            assert len(heard) == len(set(heard)), (speaker_id, heard)


def _pass(_folder: Path, name: str) -> None:
    if name == Line.armed:
        raise Crashed


def test_no_order_of_events_loses_or_doubles_a_sample(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "_FOLDER", "armed")
    monkeypatch.setattr(points, "_pass", _pass)
    monkeypatch.setattr(Line, "base", settings, raising=False)
    run_state_machine_as_test(
        Line,
        settings=effort(
            max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
