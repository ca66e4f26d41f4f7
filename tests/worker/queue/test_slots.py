"""Redis Cluster: all keys that one script touches are in one hash slot. Held against a server that refuses others."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis as redis_sync
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix, retry_key_prefix
from arq.cron import cron
from arq.worker import Retry
from pydantic import SecretStr
from redis.crc import key_slot
from redis.exceptions import ResponseError

from config.settings import Redis
from tests.support.valkey import ValkeyProcess
from tests.worker.queue.rig import PATIENCE_S, Context, job, leases, named, taken, until, worked_off, working
from worker.enrollment.record import Attempt, AttemptId, Record, RecordingId, SpeakerId
from worker.queue import jobs
from worker.queue.connect import client, close
from worker.queue.jobs import Queue, queue_name
from worker.queue.lease import claimed, poison
from worker.workshop import utc_now

_ACCOUNT = "acme"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The URL of a cluster of one node, which owns all slots."""
    with closing(socket.socket()) as free, closing(socket.socket()) as bus:
        free.bind(("127.0.0.1", 0))
        bus.bind(("127.0.0.1", 0))
        ports = {"port": str(free.getsockname()[1]), "cluster_port": str(bus.getsockname()[1])}
    server = ValkeyProcess(tmp_path / "valkey", bind="127.0.0.1", cluster_enabled="yes", **ports)
    server.start()
    with redis_sync.Redis.from_url(server.url) as plain:
        plain.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
        give_up = time.monotonic() + PATIENCE_S
        while plain.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            assert time.monotonic() < give_up
    yield server.url
    server.close()


def test_all_keys_of_an_accounts_jobs_are_in_one_slot() -> None:
    speaker, recording = SpeakerId("anna"), RecordingId("r1")
    attempt = Attempt(attempt_id=AttemptId("a1"))
    house = [
        jobs.prepare(_ACCOUNT, Record(speaker_id=speaker), recording),
        jobs.submit(_ACCOUNT, Record(speaker_id=speaker), at=utc_now()),
        jobs.look_up(_ACCOUNT, speaker, recording, attempt),
        jobs.reconcile(_ACCOUNT, "c1"),
    ]
    prefixes = job_key_prefix, in_progress_key_prefix, retry_key_prefix, result_key_prefix
    keys = [prefix + one.job_id for prefix in prefixes for one in house]
    queue = queue_name(_ACCOUNT)
    assert {key_slot(key.encode()) for key in [*keys, queue, poison(queue), claimed(queue, "token")]} == {
        key_slot(_ACCOUNT.encode())
    }


async def test_a_worker_needs_one_slot_alone(cluster: str) -> None:
    """Everything that scripts do: queue, claim, retry, keep a result, run a suspect alone, set poison aside, cron."""
    redis = client(Redis(url=SecretStr(cluster)), queue_name=queue_name(_ACCOUNT))
    with pytest.raises(ResponseError, match="slot"):
        await redis.eval("#!lua\nredis.call('GET', KEYS[1]) return redis.call('GET', 'other')", 1, "one")  # type: ignore[misc]  # redis-py
    queue, ticked, tries = Queue(redis, account=_ACCOUNT), asyncio.Event(), list[int]()

    async def tick(ctx: Context, *_args: Any, **_kwargs: Any) -> None:
        assert ctx["job_try"] == 1
        ticked.set()

    async def work(ctx: Context) -> str:
        tries.append(ctx["job_try"])
        if ctx["job_try"] == 1:
            raise Retry
        return "kept"

    await queue.put(job(queue, f"poison{number}") for number in range(5))
    for number in range(5):
        for claim in await taken(dead := leases(redis, queue, f"dead{number}"), 5):
            assert claim.crashes < 2 or await dead.begin_alone(claim)
    await queue.put(job(queue, f"suspect{number}") for number in range(5))
    for number in range(2):
        await taken(leases(redis, queue, f"dead again{number}"), 5)
    await queue.put(job(queue, f"j{number}") for number in range(20))
    jobs_by_clock = [cron(tick, second=None, name=f"{{{_ACCOUNT}}}:tick")]
    async with working(redis, queue, named("work", work), cron_jobs=jobs_by_clock, keep_result=60, max_jobs=5):
        await asyncio.wait_for(ticked.wait(), 20)
        await until(lambda: _is_set_aside(redis, queue))
        await worked_off(redis, queue)
    assert sorted(tries) == 25 * [1] + 25 * [2]
    await close(redis)


async def _is_set_aside(redis: ArqRedis, queue: Queue) -> bool:
    return bool(await redis.hlen(poison(queue.name)) == 5)  # type: ignore[misc]  # redis-py
