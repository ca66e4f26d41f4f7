"""Batches are forgotten: by hand once they have ended, by age, and whom they name of the erased as far as can be."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.batches import World
from tests.support.door import ask
from tests.support.waiting import until
from worker.enrollment.record import SpeakerId
from worker.store import keys
from worker.store.batches import State
from worker.store.listing import Wanted
from worker.sweep import sweep


async def handed_in(door: aiohttp.ClientSession, rows: list[dict[str, Any]]) -> str:
    status, made = await ask(door, "POST", "/v1/batches", json={"rows": rows})
    assert status == 202
    return str(made["batchId"])


def stored(settings: Settings, batch_id: str) -> list[Path]:
    return [path for path in (settings.data_dir / "objects").rglob("*") if path.is_file() and batch_id in path.parts]


async def test_one_that_has_ended_is_forgotten_and_may_be_handed_in_anew(
    door: aiohttp.ClientSession, world: World, settings: Settings, redis: ArqRedis
) -> None:
    rows = [*world.rows(2, speakers=2), {"id": "clara", "file": str(world.folder / "none.wav")}]
    batch_id = await handed_in(door, rows)
    path = f"/v1/batches/{batch_id}"
    status, told = await ask(door, "DELETE", path)
    assert (status, told["code"]) == (409, "batch_working")
    await ask(door, "POST", f"{path}:pause")
    assert (await ask(door, "DELETE", path))[0] == 409
    await ask(door, "POST", f"{path}:resume")
    await world.settled(batch_id)
    assert len(stored(settings, batch_id)) == 2
    record = (await world.shop.store.get(SpeakerId("s0"))).record
    assert await ask(door, "DELETE", path) == (204, {})
    assert (await ask(door, "GET", path))[1]["code"] == "batch_unknown"
    assert (await ask(door, "DELETE", path))[0] == 404
    assert stored(settings, batch_id) == []
    assert (await ask(door, "GET", "/v1/batches"))[1]["batches"] == []
    assert (await world.shop.store.page(Wanted(batch=batch_id), limit=9)).records == ()
    await world.shop.batches.spent(record)  # a late call of one of its speakers
    assert await redis.keys(f"*{batch_id}*") == []
    assert (await world.shop.store.get(SpeakerId("s0"))).record == record
    assert await handed_in(door, rows) == batch_id


async def test_what_came_to_rest_or_to_its_end_long_ago_is_forgotten_and_nothing_else(
    door: aiohttp.ClientSession, world: World, settings: Settings, redis: ArqRedis
) -> None:
    ended, rests, works = [await handed_in(door, [*world.rows(1, speakers=1), {"id": str(n)}]) for n in range(3)]
    await world.settled(ended)
    await ask(door, "POST", f"/v1/batches/{rests}:pause")

    async def left(after: timedelta) -> set[str]:
        await sweep(replace(world.shop, now=lambda: datetime.now(world.shop.now().tzinfo) + after))
        return {one["batchId"] for one in (await ask(door, "GET", "/v1/batches"))[1]["batches"]}

    assert await left(settings.retention.batches - timedelta(minutes=1)) == {ended, rests, works}
    assert await left(settings.retention.batches + timedelta(minutes=1)) == {works}
    assert (stored(settings, ended), stored(settings, rests), len(stored(settings, works))) == ([], [], 1)
    assert await world.is_in(State.VALIDATING, batch_id=works)
    assert await redis.smembers(keys.open_batches(settings.account)) == {works.encode()}  # type: ignore[misc]


async def test_who_was_erased_is_told_by_no_report_and_the_receipt_names_what_is_left(
    door: aiohttp.ClientSession, world: World
) -> None:
    rows = [
        {"id": "anna", "file": world.recording("a.wav"), "ref": "anna's first"},
        {"id": "ben", "file": str(world.folder / "none.wav"), "ref": "ben's"},
        {"id": "clara", "file": world.recording("c.wav"), "ref": "clara's"},
        {"id": "dora", "file": str(world.folder / "none.wav")},
    ]
    await ask(door, "DELETE", "/v1/speakers/clara")
    batch_id = await handed_in(door, rows)
    await world.settled(batch_id)
    assert [one.speaker_id for one in await world.problems(batch_id)] == ["ben", None, "dora"]
    status, receipt = await ask(door, "DELETE", "/v1/speakers/anna")
    assert (status, receipt["state"], receipt["stillNamed"]["batches"]) == (202, "erased", [batch_id])
    until = datetime.fromisoformat(receipt["stillNamed"]["manifestsUntil"]) - world.shop.now()
    assert timedelta(days=89, hours=23) < until < timedelta(days=90)
    await ask(door, "DELETE", "/v1/speakers/ben")
    for name in ("report.jsonl", "rerun.jsonl", "report.csv"):
        async with door.get(f"/v1/batches/{batch_id}/{name}") as answer:
            text = await answer.text()
        assert not any(name in text for name in ("anna", "ben", "clara")), text
        assert "dora" in text
    async with door.get(f"/v1/batches/{batch_id}/report.jsonl") as answer:
        told = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [(one["line"], one["reasons"][0]["code"]) for one in told] == [
        (2, "not_found"),
        (3, "speaker_erased"),
        (4, "not_found"),
    ]


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_the_erased_are_taken_out_of_the_manifest_once_the_batch_has_ended(
    door: aiohttp.ClientSession, world: World, settings: Settings, kind: str
) -> None:
    names = ("anna", "ben", "clara", "anna")
    rows = [{"id": name, "file": world.recording(f"{name}-call.wav"), "start": 5} for name in names]
    rows += [{"id": "anna", "file": "nowhere.wav"}, {"id": "dora", "file": str(world.folder / "none.wav"), "start": 7}]
    lines = [",".join(map(str, one.values())) for one in rows]
    form = aiohttp.FormData()
    content = "\n".join(["id,file,start", *lines, ""]) if kind == "csv" else json.dumps(rows)
    form.add_field("manifest", content.encode(), filename=f"roster.{kind}")
    batch_id = (await ask(door, "POST", "/v1/batches", data=form))[1]["batchId"]
    async with world.feeding(batch_id):
        await until(lambda: world.has_fed(6, batch_id))
        await ask(door, "DELETE", "/v1/speakers/anna")
        await sweep(world.shop)
        assert any("anna" in path.read_text() for path in stored(settings, batch_id))
    await world.settled(batch_id)
    for _ in range(2):
        await sweep(world.shop)
        texts = [path.read_text() for path in stored(settings, batch_id)]
        assert not any("anna" in text for text in texts), texts
        assert sum("clara" in text for text in texts) == 1
    assert await world.shop.batches.unnaming.wanted() == {}
    await world.shop.batches.unnaming.want(SpeakerId("clara"), [batch_id])  # its erasure was cut short
    await world.shop.batches.unnaming.want(SpeakerId("anna"), ["bat_0"])  # forgotten meanwhile
    for _ in range(2):
        await sweep(world.shop)
    assert await world.shop.batches.unnaming.wanted() == {batch_id: {"clara"}}
    assert sum("clara" in path.read_text() for path in stored(settings, batch_id)) == 1
    async with door.get(f"/v1/batches/{batch_id}/rerun.jsonl") as answer:
        again = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert again == [{"speakerId": "dora", "source": str(world.folder / "none.wav"), "start": 7.0}]
    async with door.get(f"/v1/batches/{batch_id}/report.jsonl") as answer:
        told = [json.loads(line)["line"] for line in (await answer.text()).splitlines()]
    assert [line for line in told if line] == ([6, 7] if kind == "csv" else [5, 6])
    assert await ask(door, "DELETE", f"/v1/batches/{batch_id}") == (204, {})
    assert stored(settings, batch_id) == []


async def test_the_erased_are_found_in_rows_that_were_not_taken(
    door: aiohttp.ClientSession, world: World, settings: Settings
) -> None:
    gone, rows = str(world.folder / "none.wav"), world.rows(1, speakers=1)
    for name in ("clara", "edgar"):  # before it is handed in
        await ask(door, "DELETE", f"/v1/speakers/{name}")
    unread = [{"id": name, "file": gone, "consent": "maybe"} for name in ("edgar", "felix")]
    first = await handed_in(door, [*rows, *({"id": name, "file": gone} for name in ("ben", "clara", "dora")), *unread])
    other = await handed_in(door, [*rows, {"id": "ben", "file": gone}])
    await swept(world)  # whoever was erased by now is looked for no more
    alone = await handed_in(door, [*rows, unread[0]])
    await world.settled(alone)
    await world.settled(first)
    for name in ("ben", "felix"):
        await ask(door, "DELETE", f"/v1/speakers/{name}")
    await swept(world)
    assert named(settings, first) == {"dora"}
    assert named(settings, alone) == set()
    assert await world.shop.batches.unnaming.wanted() == {other: {"ben", "clara", "edgar", "felix"}}  # it has not ended
    await world.settled(other)
    await swept(world)
    assert named(settings, other) == set()
    assert await world.shop.batches.unnaming.wanted() == {}
    assert not any(await world.shop.batches.unnaming.seeking())


async def swept(world: World) -> None:
    """Sweep as often as it takes to look through all batches."""
    for _ in range(4):
        await sweep(world.shop)


def named(settings: Settings, batch_id: str) -> set[str]:
    text = " ".join(path.read_text() for path in stored(settings, batch_id))
    return {name for name in ("ben", "clara", "dora", "edgar", "felix") if name in text}
