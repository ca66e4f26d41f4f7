"""The feeder: every row has one fate, memory and queue don't grow with the batch, whoever is cut short is followed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.batches import World, fates
from tests.support.waiting import until
from tests.support.workshop import workshop
from worker.enrollment.facts import SpeakerErased
from worker.enrollment.record import SpeakerId
from worker.intake import Intake, Order
from worker.sources import HandedIn
from worker.store.batches import OnExisting, State
from worker.store.listing import Wanted


@pytest.fixture
async def world(settings: Settings, redis: ArqRedis) -> AsyncIterator[World]:
    limits = settings.model_copy(update={"worker": settings.worker.model_copy(update={"batch_speakers": 8})})
    async with workshop(limits) as shop:
        yield World.of(shop, redis)


async def test_every_row_has_one_fate(world: World) -> None:
    erased = SpeakerId("gone")
    await world.shop.store.apply(erased, SpeakerErased(at=world.shop.now()))
    rows = [
        *world.rows(3, speakers=2),
        {"id": "s1", "file": world.recording("x.wav"), "consent": "no", "ref": "r4"},
        {"id": "s1", "file": str(world.folder / "missing.wav"), "ref": "r5"},
        {"id": "gone", "file": world.recording("y.wav")},
        {"id": "s 1", "file": "z.wav"},
        {"file": world.recording("z.wav")},
        {"id": "s1", "file": "relative.wav"},
        {"id": "s1", "file": "http://[half"},
        {"id": "s1", "file": world.recording("w.wav"), "rejected": True},
    ]
    await world.begin(rows)
    batch = await world.settled()
    assert (batch.state, batch.total, batch.read) == (State.COMPLETED_WITH_ERRORS, 11, 11)
    assert fates(batch) == {"taken": 3, "bad": 5, "blocked": 2, "skipped": 1}
    told = [(one.number, one.fate, one.code, one.ref) for one in await world.problems()]
    assert told == [
        (3, "blocked", "no_consent", "r4"),
        (4, "bad", "not_found", "r5"),
        (5, "blocked", "speaker_erased", None),
        (6, "bad", "bad_row", None),
        (7, "bad", "bad_row", None),
        (8, "bad", "bad_row", None),
        (9, "bad", "bad_row", None),
        (10, "skipped", "rejected", None),
    ]
    record = (await world.shop.store.get(SpeakerId("s0"))).record
    assert [one.name for one in record.samples] == ["0.wav", "2.wav"]


async def test_speakers_under_way_are_bounded(world: World) -> None:
    await world.begin(world.rows(60, speakers=30))
    most = 0

    async def is_over() -> bool:
        nonlocal most
        most = max(most, len(await world.under_way()))
        await world.settle()
        return task.done()

    async with world.feeding() as task:
        await until(is_over)
    assert 0 < most <= 8
    assert fates(await world.batch()) == {"taken": 60}


async def test_whoever_is_cut_short_is_followed_and_nothing_is_lost_or_counted_twice(world: World) -> None:
    await world.begin(world.rows(40, speakers=20))
    cuts = 0
    while not await world.is_in(State.COMPLETED_WITH_ERRORS):
        async with world.feeding():
            await asyncio.sleep(0.01 * cuts)  # anywhere in the midst of a step
        cuts += 1
        await world.settle()
    assert cuts > 5
    batch = await world.batch()
    assert fates(batch) == {"taken": 40}
    page = await world.shop.store.page(Wanted(batch="bat_1"), limit=100)
    assert sorted(len(one.samples) for one in page.records) == [2] * 20


async def test_two_who_feed_one_batch_count_each_row_once(world: World) -> None:
    await world.begin(world.rows(40, speakers=20) + [{"id": "s0"}] * 10)
    async with world.feeding():
        batch = await world.settled()
    assert fates(batch) == {"taken": 40, "bad": 10}
    assert [one.number for one in await world.problems()] == list(range(40, 50))


@pytest.mark.parametrize(("mode", "fate"), [(OnExisting.SKIP, "skipped"), (OnExisting.FAIL, "bad")])
async def test_who_was_there_before_is_left_alone_and_the_batch_s_own_are_not(
    world: World, mode: OnExisting, fate: str
) -> None:
    intake = Intake(world.shop.store, world.shop.queue, policy=world.shop.policy)
    before = Order(speaker_id=SpeakerId("s0"), recordings=[HandedIn("http://x/a.wav", "a.wav")])
    await intake.take_in(before, now=world.shop.now())
    await world.begin(world.rows(20, speakers=4), on_existing=mode)
    assert fates(await world.settled()) == {"taken": 15, fate: 5}
    assert len((await world.shop.store.get(SpeakerId("s0"))).record.samples) == 1


async def test_one_recording_too_many_spoils_no_other(world: World) -> None:
    await world.begin(world.rows(22, speakers=1))
    batch = await world.settled()
    assert fates(batch) == {"taken": 20, "bad": 2}
    assert Counter(one.code for one in await world.problems()) == {"too_many_recordings": 2}


async def test_a_batch_rests_and_goes_on_and_is_cancelled(world: World) -> None:
    await world.begin(world.rows(40, speakers=40))
    batches = world.shop.batches
    async with world.feeding() as task:
        await until(lambda: world.has_fed(8))
        assert await batches.turn(await world.batch(), State.PAUSED, at=world.shop.now(), why="by hand")
        await until(lambda: _done(task))
    assert await world.settle()
    read = (await world.batch()).read
    assert await batches.turn(await world.batch(), State.IN_PROGRESS, at=world.shop.now())
    async with world.feeding() as task:
        await until(lambda: world.has_fed(read + 1))
        assert await batches.turn(await world.batch(), State.CANCELLING, at=world.shop.now())
        await asyncio.sleep(0)
        assert not task.done()
    batch = await world.settled()
    assert (batch.state, read < batch.read < 40) == (State.CANCELLED, True)
    assert await batches.open() == []


async def _done(task: "asyncio.Task[None]") -> bool:
    return task.done()


async def test_when_the_time_is_over_it_expires(world: World) -> None:
    await world.begin(world.rows(20, speakers=20), until=world.shop.now() - timedelta(seconds=1))
    batch = await world.settled()
    assert (batch.state, batch.total, batch.read) == (State.EXPIRED, 20, 0)


async def test_the_budget_bounds_the_rows_and_then_the_batch(world: World) -> None:
    await world.begin(world.rows(30, speakers=30), budget=12, samples=3)
    async with world.feeding() as task:
        for fed in (8, 12):
            await until(lambda fed=fed: world.has_fed(fed))  # type: ignore[misc]  # one call for each row
            for name in await world.under_way():
                await world.shop.batches.spent((await world.shop.store.get(SpeakerId(name))).record)
            await world.settle()
        await until(lambda: _done(task))
    batch = await world.batch()
    assert (batch.state, batch.read, batch.calls) == (State.PAUSED, 12, 12)
    assert batch.why.startswith("budget")


async def test_two_batches_share_and_none_waits_for_the_other(world: World) -> None:
    await world.begin(world.rows(40, speakers=40))
    rows = [{"id": f"t{n}", "file": world.recording(f"t{n}.wav")} for n in range(40)]
    await world.begin(rows, "bat_2")
    async with world.feeding(), world.feeding("bat_2"):
        await until(lambda: world.has_fed(8))
        await until(lambda: world.has_fed(8, "bat_2"))
    assert [(await world.batch(name)).read for name in ("bat_1", "bat_2")] == [8, 8]


async def test_a_single_order_stands_before_a_batch(world: World, redis: ArqRedis) -> None:
    shop = world.shop
    await world.begin(world.rows(8, speakers=8))
    async with world.feeding():
        await until(lambda: world.has_fed(8))
    intake = Intake(shop.store, shop.queue, policy=shop.policy)
    order = Order(speaker_id=SpeakerId("urgent"), recordings=[HandedIn("http://x/a.wav", "a.wav")], batch="mine")
    await intake.take_in(order, now=shop.now())
    again = replace(order, speaker_id=SpeakerId("s3"), recordings=[HandedIn("http://x/b.wav", "b.wav")], batch=None)
    await intake.take_in(again, now=shop.now())
    first = [name.decode().split(":")[2] for name in await redis.zrange(shop.queue.name, 0, 1)]
    assert first == ["urgent", "s3"]


async def test_how_far_it_is_is_told_now_and_then_and_its_end_once(world: World) -> None:
    await world.begin(world.rows(40, speakers=40))
    await world.settled()
    told = await world.ways.events.after("0-0", limit=1000)
    found = [event for _, event in told if event and event.type.startswith("batch.")]
    kinds = Counter(event.type for event in found)
    assert kinds["batch.completed"] == 1
    assert 1 <= kinds["batch.progressed"] <= 20 + 20
    last = found[-1].data
    assert (last["state"], last["rows"]["read"], last["speakers"]["failed"]) == ("completed_with_errors", 40, 40)


@pytest.mark.parametrize("fed", [0, 8])
async def test_a_manifest_that_is_gone_ends_its_batch(world: World, fed: int) -> None:
    await world.begin(world.rows(40, speakers=40))
    async with world.feeding():
        await until(lambda: world.has_fed(fed))
    await world.shop.objects.forget("batches")
    batch = await world.settled()
    assert (batch.state, batch.why.partition(":")[0]) == (State.CANCELLED, "not_found")
