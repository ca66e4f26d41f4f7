"""Undoing a batch by HTTP: refused while it runs, told before, done once, however often it is asked for."""

import json
from typing import Any

import aiohttp
from arq.connections import ArqRedis

from tests.support.batches import World
from tests.support.door import ask
from tests.support.lives import MEASURES, enrolled, recipe
from tests.support.waiting import until
from worker.enrollment.facts import Answered, Fact, SampleReady, SpeakerErased, SubmissionStarted
from worker.enrollment.record import AttemptId, AttemptOutcome, Quality, SpeakerId, Verb, Via
from worker.intake import Intake, Order
from worker.sources import HandedIn
from worker.store.batches import State


async def preview(door: aiohttp.ClientSession, path: str) -> dict[str, tuple[str, int, int, int]]:
    async with door.get(f"{path}/rollback.jsonl") as answer:
        rows = [json.loads(line) for line in (await answer.text()).splitlines()]
    return {
        row["speakerId"]: (row["outcome"], row["samples"], row["calls"]["fewest"], row["calls"]["most"]) for row in rows
    }


async def applied(world: World, name: str) -> None:
    """All samples of a speaker are applied."""
    shop, who = world.shop, SpeakerId(name)
    for number, sample in enumerate((await shop.store.get(who)).record.samples, start=1):
        named: dict[str, Any] = {"at": shop.now(), "recording_id": sample.recording_id}
        attempt = named | {"attempt_id": AttemptId(f"{name}{number}")}
        seen = enrolled(number, quality=Quality.HIGH)
        facts: list[Fact] = [
            SampleReady(**named, recipe=recipe(sample.recording_id), measures=MEASURES, object_key="c"),
            SubmissionStarted(**attempt, verb=Verb.POST, before_s=0.0),
            Answered(**attempt, outcome=AttemptOutcome.APPLIED, via=Via.CALLBACK, enrollment=seen),
        ]
        await shop.store.apply(who, *facts)


async def test_a_batch_is_undone_once_after_what_it_comes_to_was_told(
    door: aiohttp.ClientSession, world: World, redis: ArqRedis
) -> None:
    before = Order(speaker_id=SpeakerId("ben"), recordings=[HandedIn("http://x/old.wav", "old.wav")])
    await Intake(world.shop.store, world.shop.queue, policy=world.shop.policy).take_in(before, now=world.shop.now())
    names = ("anna", "ben", "clara", "dora")
    rows = [{"id": name, "file": world.recording(f"{name}.wav")} for name in names]
    _, made = await ask(door, "POST", "/v1/batches", json={"rows": rows})
    path = f"/v1/batches/{made['batchId']}"
    status, told = await ask(door, "POST", f"{path}:rollback")
    assert (status, told["code"]) == (409, "batch_running")
    async with world.feeding(made["batchId"]):
        await until(lambda: world.has_fed(4, made["batchId"]))
        for name in ("anna", "ben"):
            await applied(world, name)
        await world.shop.store.apply(SpeakerId("dora"), SpeakerErased(at=world.shop.now()))
    await ask(door, "POST", f"{path}:cancel")
    assert (await ask(door, "POST", f"{path}:rollback"))[1]["code"] == "batch_running"
    await world.settled(made["batchId"])
    assert await preview(door, path) == {
        "anna": ("taken_out", 1, 1, 1),
        "ben": ("enrolled_anew", 1, 2, 2),
        "clara": ("withdrawn", 1, 0, 0),
    }
    for _ in range(2):
        status, told = await ask(door, "POST", f"{path}:rollback")
        assert (status, told["state"]) == (202, "rolling_back")
    assert (await ask(door, "POST", f"{path}:cancel"))[1]["code"] == "batch_ended"
    async with world.feeding(made["batchId"]):
        await until(lambda: undone(world, made["batchId"]))
    assert {name: one[0] for name, one in (await preview(door, path)).items()} == dict.fromkeys(
        ("anna", "ben", "clara"), "nothing"
    )
    queued = await redis.zrange(world.shop.queue.name, 0, -1)
    assert sorted(member.decode().split(":")[2] for member in queued if b":renew:" in member) == ["anna", "ben"]


async def undone(world: World, batch_id: str) -> bool:
    found = [(await world.shop.store.get(SpeakerId(name))).record for name in ("anna", "ben", "clara")]
    return all(one.undone for one in found) and (await world.batch(batch_id)).state is State.ROLLING_BACK


async def test_a_batch_of_which_nobody_was_enrolled_is_undone_at_once(
    door: aiohttp.ClientSession, world: World
) -> None:
    _, made = await ask(door, "POST", "/v1/batches", json={"rows": world.rows(3, speakers=3)})
    await world.settled(made["batchId"])
    path = f"/v1/batches/{made['batchId']}"
    await ask(door, "POST", f"{path}:rollback")
    batch = await world.settled(made["batchId"])
    assert batch.state is State.ROLLED_BACK
    _, told = await ask(door, "POST", f"{path}:rollback")
    assert (told["state"], told["speakers"]["withdrawn"]) == ("rolled_back", 3)
    assert (await ask(door, "POST", f"{path}:resume"))[1]["code"] == "batch_ended"
