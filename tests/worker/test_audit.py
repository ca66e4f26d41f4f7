"""`python -m worker --audit` against a provider that was tampered with: each exception is found, with evidence."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from arq.connections import ArqRedis
from arq.constants import job_key_prefix

from config.settings import Settings
from tests.support.provider import Provider
from tests.support.serving import serving
from tests.support.workshop import content_of, prepared, workshop
from worker import submit
from worker.enrollment.record import RecordingId, SpeakerId
from worker.reconcile import reconcile
from worker.store.journal import Arrived
from worker.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Line:
    """A workshop, the provider it submits to, and its settings."""

    settings: Settings
    provider: Provider
    shop: Workshop
    redis: ArqRedis

    async def enroll(self, speaker_id: str) -> None:
        """One sample, from the recording to the reconciled callback."""
        who, what = SpeakerId(speaker_id), RecordingId("r1")
        await prepared(self.shop, who, what)
        await submit.submit(self.shop, who)
        self.provider.work(0)
        await reconcile(self.shop, await self.journaled(who, what))
        await self.redis.delete(self.shop.queue.name)

    async def journaled(self, who: SpeakerId, what: RecordingId) -> str:
        """Accept the callback that the provider has ready; its id."""
        _, body = self.provider.callbacks.pop()
        attempt = (await self.shop.store.get(who)).record.sample(what).attempts[-1]
        at_ms = int(datetime.now(UTC).timestamp() * 1000)
        arrived = Arrived(at_ms, who, what, attempt.attempt_id, b"", json.dumps(body).encode())
        await self.shop.journal.write([arrived], now=datetime.now(UTC))
        return (await self.shop.journal.page(before=None, limit=1))[0].callback_id

    async def audit(self) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
        """Exit code, findings, summary."""
        env = {
            "ACCOUNT": self.settings.account,
            "DATA_DIR": str(self.settings.data_dir),
            "REDIS_URL": self.settings.redis.url.get_secret_value(),
            "API_BASE_URL": self.settings.api.base_url,
            "LOG_LEVEL": "warning",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "worker",
            "--audit",
            env=os.environ | {f"VOXROLL_{name}": value for name, value in env.items()},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        lines = [json.loads(line) for line in said.splitlines()]
        assert process.returncode is not None
        findings = [line for line in lines if line["type"] == "finding"]
        return process.returncode, findings, lines[-1] if lines else {}


@pytest.fixture
async def line(settings: Settings, redis: ArqRedis) -> AsyncIterator[Line]:
    provider = Provider()
    async with serving(provider.app()) as url:
        own = settings.model_copy(update={"api": settings.api.model_copy(update={"base_url": url})})
        async with workshop(own) as shop:
            yield Line(own, provider, shop, redis)


async def test_what_was_done_once_is_clean(line: Line) -> None:
    for speaker_id in ("anna", "ben", "carla"):
        await line.enroll(speaker_id)
    code, findings, summary = await line.audit()
    assert (code, findings) == (0, [])
    assert summary["type"] == "summary"
    assert summary["clean"] is True
    assert [summary[name] for name in ("speakers", "applied", "callbacks", "enrollments")] == [3, 3, 3, 3]


async def test_each_exception_is_named_with_its_evidence(line: Line) -> None:
    for speaker_id in ("anna", "ben", "carla"):
        await line.enroll(speaker_id)
    line.provider.enrolled["anna"].append(content_of("anna", "r1"))
    line.provider.enrolled["ben"].clear()
    line.provider.enrolled["dora"].append(b"somebody")
    code, findings, summary = await line.audit()
    assert code == 1
    assert {(one["speakerId"], one["code"]) for one in findings} == {
        ("anna", "applied_twice"),
        ("ben", "missing_at_api"),
        ("dora", "unknown_enrollment"),
    }
    anna = next(one for one in findings if one["speakerId"] == "anna")
    assert (anna["evidence"]["expectedS"], anna["evidence"]["heardS"]) == (15.0, 30.0)
    assert (summary["clean"], summary["exceptions"]) == (False, 3)


async def test_a_callback_is_lost_only_if_nothing_will_reconcile_it(line: Line) -> None:
    who, what = SpeakerId("anna"), RecordingId("r1")
    await prepared(line.shop, who, what)
    await submit.submit(line.shop, who)
    line.provider.work(0)
    await line.journaled(who, what)
    code, findings, _ = await line.audit()
    assert (code, findings) == (0, [])  # its job waits
    for job in [member.decode() for member in await line.redis.zrange(line.shop.queue.name, 0, -1)]:
        await line.redis.delete(job_key_prefix + job)
    code, findings, _ = await line.audit()
    assert (code, [one["code"] for one in findings]) == (1, ["callback_lost"])


async def test_an_api_that_is_away_is_told_and_is_no_clean_audit(settings: Settings) -> None:
    away = settings.model_copy(update={"api": settings.api.model_copy(update={"base_url": "http://127.0.0.1:9"})})
    async with workshop(away) as shop:
        code, findings, summary = await Line(away, Provider(), shop, cast("ArqRedis", None)).audit()
    assert (code, findings, summary) == (69, [], {})
