"""The status store: one writer wins, nothing is lost between writers, a page costs a page."""

import asyncio
import hashlib
import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from config.settings import Settings
from tests.support.lives import MEASURES, START, enrolled, recipe
from worker.enrollment.advance import advance
from worker.enrollment.facts import (
    Answered,
    BatchJoined,
    EnrollmentSeen,
    Fact,
    RecordingPlanned,
    SampleReady,
    SubmissionAccepted,
    SubmissionStarted,
)
from worker.enrollment.record import AttemptId, AttemptOutcome, Quality, Record, RecordingId, SpeakerId, Verb, Via
from worker.enrollment.states import SpeakerState
from worker.enrollment.steps import Policy
from worker.store import keys
from worker.store.codec import Unpacked, packed, unpacked
from worker.store.listing import Wanted, indexes_of
from worker.store.status import StatusStore

WHO = SpeakerId("s1")


@pytest.fixture
def store(redis: ArqRedis, settings: Settings) -> StatusStore:
    return StatusStore(redis, account=settings.account, policy=Policy(), events_kept=1000)


def planned(number: int) -> RecordingPlanned:
    return RecordingPlanned(
        at=START, recording_id=RecordingId(f"r{number}"), source=f"file:///{number}", name=f"{number}"
    )


async def test_writers_at_once_lose_nothing(store: StatusStore) -> None:
    await asyncio.gather(*(store.apply(WHO, planned(number)) for number in range(20)))
    stored = await store.get(WHO)
    assert [sample.recording_id for sample in stored.record.samples] == sorted(f"r{n}" for n in range(20))
    assert stored.version == 20


async def test_a_superseded_writer_changes_nothing(store: StatusStore) -> None:
    old = await store.get(WHO)
    await store.apply(WHO, planned(1))
    assert await store.apply_to(old, planned(2)) is None
    assert [sample.recording_id for sample in (await store.get(WHO)).record.samples] == ["r1"]


async def test_no_news_is_not_written(store: StatusStore, redis: ArqRedis, settings: Settings) -> None:
    first = await store.apply(WHO, EnrollmentSeen(at=START, enrollment=enrolled(1)))
    again = await store.apply(WHO, EnrollmentSeen(at=START, enrollment=enrolled(1)))
    assert again == first
    assert await redis.xlen(keys.events(settings.account)) == 2  # improved, completed


async def test_record_index_due_time_and_events_change_together(
    store: StatusStore, redis: ArqRedis, settings: Settings
) -> None:
    await store.apply(WHO, planned(1))
    assert await store.due(now=datetime.now(UTC) + timedelta(minutes=2), limit=10) == [WHO]
    assert await store.counts() == {state: int(state == "planned") for state in SpeakerState}
    answered = Answered(
        at=START,
        recording_id=RecordingId("r1"),
        attempt_id=AttemptId("a"),
        outcome=AttemptOutcome.APPLIED,
        via=Via.CALLBACK,
        enrollment=enrolled(1),
    )
    await store.apply(WHO, answered)
    assert await store.due(now=datetime.now(UTC) + timedelta(days=2), limit=10) == []
    assert await store.counts() == {state: int(state == "complete") for state in SpeakerState}
    told = [fields[b"event"].decode() for _, fields in await redis.xrange(keys.events(settings.account))]
    assert any("enrollment.completed" in event for event in told)


async def test_looking_again_never_revives_a_settled_speaker(store: StatusStore) -> None:
    await store.apply(WHO, EnrollmentSeen(at=START, enrollment=enrolled(1)))
    await store.look_again(WHO, at=START)
    assert await store.due(now=datetime.now(UTC), limit=10) == []


async def walked(store: StatusStore, wanted: Wanted, *, limit: int = 3, newest_first: bool = True) -> list[str]:
    seen, cursor = list[str](), None
    while True:
        page = await store.page(wanted, limit=limit, cursor=cursor, newest_first=newest_first)
        seen += [record.speaker_id for record in page.records]
        if (cursor := page.next) is None:
            return seen


async def test_pages_hold_each_speaker_once_in_order_of_change(store: StatusStore) -> None:
    for number in range(7):
        await store.apply(SpeakerId(f"s{number}"), planned(number))
    expected = [f"s{number}" for number in range(7)]
    assert await walked(store, Wanted(state=SpeakerState.PLANNED)) == expected[::-1]
    assert await walked(store, Wanted(), newest_first=False) == expected
    assert await walked(store, Wanted(state=SpeakerState.COMPLETE)) == []


async def test_listings_by_quality_batch_and_age(store: StatusStore, redis: ArqRedis) -> None:
    qualities = [Quality.HIGH, Quality.POOR, Quality.HIGH, None]
    times = []
    for number, quality in enumerate(qualities):
        seen = [EnrollmentSeen(at=START, enrollment=enrolled(1, quality=quality))] if quality else [planned(1)]
        seconds, micros = await redis.time()
        times.append(datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros))
        await store.apply(SpeakerId(f"s{number}"), *seen, BatchJoined(at=START, batch=f"night{number % 2}"))
    assert await walked(store, Wanted(quality=Quality.HIGH)) == ["s2", "s0"]
    assert await walked(store, Wanted(batch="night1")) == ["s3", "s1"]
    assert await walked(store, Wanted(batch="night0", quality=Quality.HIGH, state=SpeakerState.COMPLETE)) == [
        "s2",
        "s0",
    ]
    assert await walked(store, Wanted(batch="night1", state=SpeakerState.COMPLETE)) == ["s1"]
    assert await walked(store, Wanted(after=times[2])) == ["s3", "s2"]
    assert await walked(store, Wanted(after=times[1], before=times[2])) == ["s1"]
    assert (await store.counts(batch="night0"))[SpeakerState.COMPLETE] == 2


async def test_a_speaker_that_moves_on_leaves_its_old_place(store: StatusStore) -> None:
    await store.apply(WHO, planned(1), BatchJoined(at=START, batch="b"))
    await store.apply(WHO, EnrollmentSeen(at=START, enrollment=enrolled(1, quality=Quality.POOR)))
    await store.apply(WHO, EnrollmentSeen(at=START, enrollment=enrolled(2, quality=Quality.HIGH)))
    for batch in ("b", None):
        assert await walked(store, Wanted(batch=batch, quality=Quality.POOR)) == []
        assert await walked(store, Wanted(batch=batch, quality=Quality.HIGH)) == [WHO]
        assert sum((await store.counts(batch=batch)).values()) == 1


async def test_speakers_that_changed_in_one_moment_are_all_paged(
    store: StatusStore, redis: ArqRedis, settings: Settings
) -> None:
    """A clock set back may give several speakers one time."""
    for number in range(9):
        stored = await store.apply(SpeakerId(f"s{number}"), planned(number))
        for index in indexes_of(settings.account, stored.record):
            await redis.zadd(index, {f"s{number}": 7_000_000})
    assert await walked(store, Wanted(), limit=2) == [f"s{number}" for number in reversed(range(9))]
    assert await walked(store, Wanted(), limit=2, newest_first=False) == [f"s{number}" for number in range(9)]


async def test_a_page_costs_a_page(store: StatusStore, redis: ArqRedis) -> None:
    """The same number of commands, and no more entries read, however many speakers there are."""
    costs = []
    for number in range(60):
        await store.apply(SpeakerId(f"s{number}"), planned(number))
        if number in {9, 59}:
            before = await commands(redis)
            await store.page(Wanted(), limit=5)
            costs.append(await commands(redis) - before)
    assert costs[0] == costs[1] <= 30 + 5 + 2  # an index per state and quality, the page, and the look itself


async def commands(redis: ArqRedis) -> int:
    return sum(stats["calls"] for stats in (await redis.info("commandstats")).values())


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=30), st.randoms(use_true_random=False))
def test_batches_joined_in_any_order_end_alike(joined: list[tuple[int, int]], chance: random.Random) -> None:
    facts = [BatchJoined(at=START + timedelta(seconds=at), batch=f"b{name}") for at, name in joined]
    shuffled = [*facts, *facts[::2]]
    chance.shuffle(shuffled)
    one, other = (
        reduce(lambda known, fact: advance(known, fact).record, told, Record(speaker_id=WHO))
        for told in (facts, shuffled)
    )
    assert one == other
    assert len({member.batch for member in one.batches}) == len(one.batches) <= 8


async def test_a_full_record_stays_small(store: StatusStore, redis: ArqRedis, settings: Settings) -> None:
    """Five samples, each tried and answered: under 4 KB, with the record's places in the indexes."""
    facts: list[Fact] = [BatchJoined(at=START, batch="night")]
    for number in range(5):
        facts += full_sample(number)
    await store.apply(WHO, *facts)
    places = await redis.memory_usage(keys.speaker(settings.account, WHO), samples=0)
    for index in indexes_of(settings.account, (await store.get(WHO)).record):
        places += await redis.memory_usage(index, samples=0)
    assert places < 4 * 1024


def test_a_record_packed_and_unpacked_is_the_same() -> None:
    facts = [fact for number in range(3) for fact in full_sample(number)]
    record = reduce(lambda known, fact: advance(known, fact).record, facts, Record(speaker_id=WHO))
    assert unpacked(packed(record)) == Unpacked(record)
    assert unpacked(TypeAdapter(Record).dump_json(record)) == Unpacked(record)


def full_sample(number: int) -> list[Fact]:
    """Ids and hashes that don't repeat, as in life."""
    recording_id = RecordingId(hashlib.sha256(b"r%d" % number).hexdigest()[:16])
    attempt_id, job_id = AttemptId(uuid.uuid4().hex), str(uuid.uuid4())
    sha = hashlib.sha256(b"s%d" % number).hexdigest()
    source = f"file:///archive/2026/11/calls/{uuid.uuid4()}.wav?{number}7213344-1763700000123456789"
    cut = replace(recipe(), source=source, sample_sha256=sha, source_sha256=hashlib.sha256(sha.encode()).hexdigest())
    at = datetime.now(UTC)
    return [
        RecordingPlanned(at=at, recording_id=recording_id, source=source, name=source[-50:-30]),
        SampleReady(
            at=at, recording_id=recording_id, recipe=cut, measures=MEASURES, object_key=f"clips/default/{sha}.wav"
        ),
        SubmissionStarted(at=at, recording_id=recording_id, attempt_id=attempt_id, verb=Verb.POST, before_s=number),
        SubmissionAccepted(at=at, recording_id=recording_id, attempt_id=attempt_id, job_id=job_id),
        Answered(
            at=at,
            recording_id=recording_id,
            attempt_id=attempt_id,
            outcome=AttemptOutcome.APPLIED,
            via=Via.CALLBACK,
            enrollment=enrolled(number),
        ),
    ]
