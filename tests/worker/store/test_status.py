"""The status store: one writer wins, nothing is lost between writers, a page costs a page."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.lives import MEASURES, START, enrolled, recipe
from worker.enrollment.facts import (
    Answered,
    EnrollmentSeen,
    Fact,
    RecordingPlanned,
    SampleReady,
    SubmissionAccepted,
    SubmissionStarted,
)
from worker.enrollment.record import AttemptId, AttemptOutcome, RecordingId, SpeakerId, Verb, Via
from worker.enrollment.states import SpeakerState
from worker.enrollment.steps import Policy
from worker.store import keys
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


async def test_pages_hold_each_speaker_once(store: StatusStore) -> None:
    for number in range(7):
        await store.apply(SpeakerId(f"s{number}"), planned(number))
    seen, cursor = list[str](), None
    while True:
        page = await store.page(state=SpeakerState.PLANNED, limit=3, cursor=cursor)
        seen += [record.speaker_id for record in page.records]
        if (cursor := page.next) is None:
            break
    assert sorted(seen) == [f"s{number}" for number in range(7)]


async def test_a_full_record_stays_small(store: StatusStore, redis: ArqRedis, settings: Settings) -> None:
    """Five samples, each tried and answered: under 4 KB."""
    facts: list[Fact] = []
    for number in range(5):
        recording_id, attempt_id = RecordingId(f"{number:016x}"), AttemptId(f"{number:032x}")
        facts += [
            planned(number),
            SampleReady(
                at=START,
                recording_id=recording_id,
                recipe=recipe(),
                measures=MEASURES,
                object_key=f"clips/a/{'0' * 64}.wav",
            ),
            SubmissionStarted(at=START, recording_id=recording_id, attempt_id=attempt_id, verb=Verb.POST, before_s=0.0),
            SubmissionAccepted(at=START, recording_id=recording_id, attempt_id=attempt_id, job_id="j" * 36),
            Answered(
                at=START,
                recording_id=recording_id,
                attempt_id=attempt_id,
                outcome=AttemptOutcome.APPLIED,
                via=Via.CALLBACK,
                enrollment=enrolled(number),
            ),
        ]
    await store.apply(WHO, *facts)
    assert await redis.hstrlen(keys.speaker(settings.account, WHO), "record") < 5 * 1024  # type: ignore[misc]  # redis-py
