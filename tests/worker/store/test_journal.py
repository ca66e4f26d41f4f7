"""The journal: what is written can be read back byte by byte, and nothing that is still needed is forgotten."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from config.settings import Settings
from worker.queue import jobs
from worker.queue.jobs import Queue, queue_name
from worker.store import keys
from worker.store.journal import Arrived, Journal, Refused

NOW = datetime.now(UTC)
Make = Callable[..., Journal]


def arrived(
    body: bytes = b"{}", *, speaker_id: str = "anna", attempt_id: str = "a1", headers: bytes = b"date: today"
) -> Arrived:
    return Arrived(int(NOW.timestamp() * 1000), speaker_id, "r1", attempt_id, headers, body)


@pytest.fixture
def make(redis: ArqRedis, settings: Settings) -> Make:
    def made(*, keep: timedelta = timedelta(days=1), most_bytes: int = 10**9) -> Journal:
        return Journal(redis, account=settings.account, keep=keep, most_bytes=most_bytes)

    return made


async def ids(redis: ArqRedis, settings: Settings) -> list[str]:
    return [entry_id.decode() for entry_id, _ in await redis.xrange(keys.callbacks(settings.account))]


async def work_off(redis: ArqRedis, settings: Settings, *callback_ids: str) -> None:
    """As if their jobs had been done."""
    for callback_id in callback_ids:
        job_id = jobs.reconcile(settings.account, callback_id).job_id
        assert await redis.delete(job_key_prefix + job_id) == 1
        await redis.zrem(queue_name(settings.account), job_id)


async def bytes_kept(redis: ArqRedis, settings: Settings) -> int:
    return int(await redis.get(keys.callback_bytes(settings.account)) or 0)


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=10))
async def test_a_group_comes_back_byte_by_byte(
    make: Make, redis: ArqRedis, settings: Settings, bodies: list[bytes]
) -> None:
    await redis.flushdb()
    journal = make()
    headers = b"Content-Type: application/json\nrcrequestid: a: b\nDate: \xe4"
    await journal.write([arrived(body, headers=headers) for body in bodies], now=NOW)
    found = await journal.page(before=None, limit=100)
    assert [callback.body for callback in reversed(found)] == bodies
    for callback in found:
        assert await journal.get(callback.callback_id) == callback
        assert callback.headers == {"Content-Type": "application/json", "rcrequestid": "a: b", "Date": "ä"}
        assert (callback.speaker_id, callback.recording_id, callback.attempt_id) == ("anna", "r1", "a1")
        assert (callback.verdict, callback.body_bytes) == ("accepted", len(callback.body))
        assert abs(callback.received_at - NOW) < timedelta(milliseconds=1)
    assert await bytes_kept(redis, settings) == sum(map(len, bodies)) + len(bodies) * len(headers)


async def test_each_callback_has_a_job_as_the_queue_would_have_made_it(
    make: Make, redis: ArqRedis, settings: Settings
) -> None:
    await make().write([arrived(), arrived()], now=NOW)
    for callback_id in await ids(redis, settings):
        job = jobs.reconcile(settings.account, callback_id)
        assert jobs.loads(await redis.get(job_key_prefix + job.job_id))["a"] == [callback_id]
        payload = jobs.payload_of(job, now_ms=int(NOW.timestamp() * 1000))
        assert await redis.get(job_key_prefix + job.job_id) == payload
        due = await redis.zscore(queue_name(settings.account), job.job_id)
        assert due <= datetime.now(UTC).timestamp() * 1000


@pytest.mark.parametrize(
    "callback_id",
    ["", "x", "1", "1-", "-1", "+", "1-1-1", "1-x", "99999999999999999999-1", "²-1", "r", "r1", "(1-1", "1" * 99],
)
async def test_what_is_no_id_names_no_callback(make: Make, callback_id: str) -> None:
    journal = make()
    await journal.write([arrived()], now=NOW)
    assert await journal.get(callback_id) is None
    assert len(await journal.page(before=callback_id, limit=5)) == 1


async def test_pages_follow_one_another_newest_first(make: Make) -> None:
    journal = make()
    await journal.write([arrived(b"%d" % number) for number in range(7)], now=NOW)
    seen, before = list[bytes](), None
    while found := await journal.page(before=before, limit=3):
        seen += [callback.body for callback in found]
        before = found[-1].callback_id
    assert seen == [b"%d" % number for number in reversed(range(7))]


async def test_those_of_one_speaker_or_attempt_are_found(make: Make) -> None:
    journal = make()
    names = [("anna", "a1"), ("ben", "b1"), ("anna", "a2"), ("anna", "a1")]
    await journal.write([arrived(speaker_id=who, attempt_id=what) for who, what in names], now=NOW)
    assert [one.attempt_id async for one in journal.each(speaker_id="anna")] == ["a1", "a2", "a1"]
    assert [one.speaker_id async for one in journal.each(attempt_id="b1")] == ["ben"]
    assert len([one async for one in journal.each()]) == 4


async def test_refused_ones_are_few_and_cut_short(make: Make, redis: ArqRedis, settings: Settings) -> None:
    journal = make()
    long = arrived(b"x" * 70_000, headers=b"user-agent: " + b"y" * 8_000)
    for _ in range(3):
        some = [Refused.cut(long, verdict="callback_forged", body_bytes=70_000)] * 400
        await journal.refuse([*some, Refused.cut(arrived(), verdict="callback_stale", body_bytes=2)])
    assert await redis.xlen(keys.refused(settings.account)) == 1000
    newest, before = await journal.page(before=None, limit=2, refused=True)
    assert (newest.verdict, newest.is_accepted) == ("callback_stale", False)
    assert (len(before.body), before.body_bytes, before.verdict) == (4096, 70_000, "callback_forged")
    assert await journal.get(before.callback_id) == before
    assert await journal.get(before.callback_id.removeprefix("r")) is None
    assert await redis.memory_usage(keys.refused(settings.account), samples=0) < 8_000_000
    assert await journal.page(before=None, limit=2) == []


async def test_what_is_too_old_is_forgotten(make: Make, redis: ArqRedis, settings: Settings) -> None:
    journal = make(keep=timedelta(seconds=-10))  # all that has come by now is older
    await journal.write([arrived(b"%d" % number) for number in range(250)], now=NOW)
    await work_off(redis, settings, *await ids(redis, settings))
    assert await journal.forget_old() == 250
    assert await redis.xlen(keys.callbacks(settings.account)) == 0
    assert await bytes_kept(redis, settings) == 0
    assert await make().forget_old() == 0


async def test_what_is_too_much_is_forgotten_oldest_first(make: Make, redis: ArqRedis, settings: Settings) -> None:
    journal = make(most_bytes=2_500)
    await journal.write([arrived(bytes(90), headers=b"1234567890") for _ in range(230)], now=NOW)
    all_of_them = await ids(redis, settings)
    await work_off(redis, settings, *all_of_them)
    assert await journal.forget_old() == 205
    assert await ids(redis, settings) == all_of_them[205:]
    assert await bytes_kept(redis, settings) == 2_500
    assert await journal.forget_old() == 0


async def test_what_waits_to_be_reconciled_is_never_forgotten(make: Make, redis: ArqRedis, settings: Settings) -> None:
    journal = make(most_bytes=1)
    await journal.write([arrived() for _ in range(150)], now=NOW)
    all_of_them = await ids(redis, settings)
    assert await journal.forget_old() == 0
    done = [callback_id for number, callback_id in enumerate(all_of_them) if number % 3]
    await work_off(redis, settings, *done)
    assert await journal.forget_old() == len(done)
    left = [callback_id for callback_id in all_of_them if callback_id not in done]
    assert await ids(redis, settings) == left
    await work_off(redis, settings, *left)
    assert await journal.forget_old() == len(left)


async def test_what_is_replayed_is_not_forgotten_meanwhile(make: Make, redis: ArqRedis, settings: Settings) -> None:
    journal = make(most_bytes=1)
    await journal.write([arrived(), arrived()], now=NOW)
    first, second = await ids(redis, settings)
    await work_off(redis, settings, first, second)
    await Queue(redis, account=settings.account).put([journal.replay(first)])
    assert await journal.forget_old() == 1
    assert await ids(redis, settings) == [first]
