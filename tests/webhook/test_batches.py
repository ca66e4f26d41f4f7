"""Batches by HTTP: handed in as rows or as a file, looked at, paused, resumed, cancelled, and what they came to."""

import csv
import io
import json
from typing import Any

import aiohttp
import pytest

from tests.support.batches import World
from tests.support.door import ask
from tests.support.waiting import until
from worker.enrollment.facts import SampleParked
from worker.enrollment.record import SpeakerId, Stretch
from worker.store.batches import State


async def upload(
    door: aiohttp.ClientSession, content: str, *, filename: str = "calls.csv", **fields: str
) -> tuple[int, dict[str, Any]]:
    form = aiohttp.FormData(fields)
    form.add_field("manifest", content.encode(), filename=filename)
    return await ask(door, "POST", "/v1/batches", data=form)


async def lines(door: aiohttp.ClientSession, path: str) -> list[dict[str, Any]]:
    async with door.get(path) as answer:
        assert answer.status == 200
        return [json.loads(line) for line in (await answer.text()).splitlines()]


async def test_rows_are_handed_in_once_and_only_the_name_makes_them_another_batch(
    door: aiohttp.ClientSession,
) -> None:
    body = {"rows": [{"speakerId": "anna", "source": "/a.wav"}], "onExisting": "skip", "goal": {"samples": 2}}
    status, first = await ask(door, "POST", "/v1/batches", json=body)
    assert (status, first["state"], first["onExisting"], first["goal"]["samples"]) == (202, "validating", "skip", 2)
    assert await ask(door, "POST", "/v1/batches", json=body) == (200, first)
    status, other = await ask(door, "POST", "/v1/batches", json=body | {"name": "once more"})
    assert (status, other["batchId"] != first["batchId"], other["name"]) == (202, True, "once more")
    assert await ask(door, "GET", f"/v1/batches/{first['batchId']}") == (200, first)
    _, newest = await ask(door, "GET", "/v1/batches", params={"limit": "1"})
    assert ([one["batchId"] for one in newest["batches"]], newest["next"]) == ([other["batchId"]], "1")
    _, rest = await ask(door, "GET", "/v1/batches", params={"cursor": "1"})
    assert ([one["batchId"] for one in rest["batches"]], rest["next"]) == ([first["batchId"]], None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"rows": []}, "invalid_request"),
        ({"rows": [1]}, "invalid_request"),
        ({"rows": [{}], "onExisting": "forget"}, "invalid_request"),
        ({"rows": [{}], "until": "06:00"}, "invalid_request"),
        ({"rows": [{}], "budget": 0}, "invalid_request"),
        ({"rows": [{}], "other": 1}, "invalid_request"),
    ],
)
async def test_what_is_no_batch_is_refused(door: aiohttp.ClientSession, body: dict[str, Any], code: str) -> None:
    status, told = await ask(door, "POST", "/v1/batches", json=body)
    assert (status, told["code"]) == (422, code)


async def test_an_upload_without_a_manifest_or_with_a_folder_that_is_none_is_refused(
    door: aiohttp.ClientSession,
) -> None:
    form = aiohttp.FormData({"name": "x"}, default_to_multipart=True)
    assert (await ask(door, "POST", "/v1/batches", data=form))[0] == 422
    assert (await upload(door, "file\n", folder="here"))[0] == 422
    assert (await upload(door, "file\n", surprise="x"))[0] == 422
    assert (await ask(door, "POST", "/v1/batches", data=b"file\n"))[0] == 415
    assert (await ask(door, "GET", "/v1/batches/bat_0"))[1]["code"] == "batch_unknown"


async def test_a_manifest_is_fed_from_its_folder_and_reported(door: aiohttp.ClientSession, world: World) -> None:
    for name in ("a.wav", "b.wav"):
        world.recording(name)
    rows = ["id,file,consent,ref", "anna,a.wav,yes,1", "ben,b.wav,,2", "clara,c.wav,,3", "dora,a.wav,no,4"]
    text = "\n".join([*rows, "ben,a.wav,,2b", ",,,5", "felix,a.wav,maybe,6", ""])
    status, made = await upload(door, text, folder=str(world.folder), quality="Good", until="2030-01-01T06:00:00Z")
    assert (status, made["goal"]["quality"], made["manifest"]["kind"]) == (202, "Good", "csv")
    assert made["name"] == "calls.csv"
    await world.settled(made["batchId"])
    _, done = await ask(door, "GET", f"/v1/batches/{made['batchId']}")
    assert done["state"] == "completed_with_errors"
    assert done["rows"] == {"total": 7, "read": 7, "taken": 3, "bad": 3, "skipped": 0, "blocked": 1}
    assert (sum(done["speakers"].values()), done["speakers"]["failed"]) == (2, 2)
    told = await lines(door, f"/v1/batches/{made['batchId']}/report.jsonl")
    found = [(one["speakerId"], one["state"], one["line"], one["ref"], one["reasons"][0]["code"]) for one in told]
    assert [*sorted(found[:2]), *found[2:]] == [
        ("anna", "failed", None, "1", "silent"),
        ("ben", "failed", None, "2; 2b", "silent"),
        ("clara", "bad", 4, "3", "not_found"),
        ("dora", "blocked", 5, "4", "no_consent"),
        (None, "bad", 7, "5", "bad_row"),
        ("felix", "bad", 8, "6", "bad_row"),
    ]
    async with door.get(f"/v1/batches/{made['batchId']}/report.csv") as answer:
        table = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [row["speakerId"] for row in table][2:] == ["clara", "dora", "", "felix"]
    assert table[2] | {"reasons": ""} == {
        "speakerId": "clara",
        "state": "bad",
        "quality": "",
        "speechSeconds": "",
        "samples": "",
        "line": "4",
        "ref": "3",
        "reasons": "",
    }


async def test_only_what_can_succeed_is_there_to_run_again_and_does(door: aiohttp.ClientSession, world: World) -> None:
    rows = [
        {"id": "anna", "file": world.recording("a.wav"), "ref": "1"},
        {"id": "ben", "file": world.recording("b.wav"), "channel": 1, "start": "0:05", "lang": "de_ch"},
        {"id": "clara", "file": str(world.folder / "c.wav")},
        {"id": "dora", "file": "http://x/d.wav", "consent": False},
        {"id": "edgar", "file": "edgar.wav"},
    ]
    _, made = await ask(door, "POST", "/v1/batches", json={"rows": rows})
    async with world.feeding(made["batchId"]) as task:
        await until(lambda: world.has_fed(5, made["batchId"]))
        assert not task.done()
    ben = (await world.shop.store.get(SpeakerId("ben"))).record
    parked = SampleParked(
        at=world.shop.now(), recording_id=ben.samples[0].recording_id, code="attempts_exhausted", message="-"
    )
    await world.shop.store.apply(ben.speaker_id, parked)
    await world.settled(made["batchId"])
    again = await lines(door, f"/v1/batches/{made['batchId']}/rerun.jsonl")
    assert again == [
        {"speakerId": "ben", "source": str(world.folder / "b.wav"), "channel": 1, "start": 5.0, "language": "de-CH"},
        {"speakerId": "clara", "source": str(world.folder / "c.wav")},
    ]
    world.recording("c.wav")
    status, second = await upload(door, "".join(json.dumps(row) + "\n" for row in again), filename="rerun.jsonl")
    assert status == 202
    await world.settled(second["batchId"])
    assert (await ask(door, "GET", f"/v1/batches/{second['batchId']}"))[1]["rows"]["taken"] == 2
    first, again_tried = (await world.shop.store.get(SpeakerId("ben"))).record.samples
    assert (
        (first.stretch, first.language) == (again_tried.stretch, again_tried.language) == (Stretch(start_s=5), "de-CH")
    )


async def test_it_is_paused_resumed_with_new_bounds_and_cancelled(door: aiohttp.ClientSession, world: World) -> None:
    _, made = await ask(door, "POST", "/v1/batches", json={"rows": world.rows(3, speakers=3), "budget": 5})
    path = f"/v1/batches/{made['batchId']}"
    for _ in range(2):
        status, told = await ask(door, "POST", f"{path}:pause")
        assert (status, told["state"], told["why"], told["budget"]) == (202, "paused", "by hand", 5)
    status, told = await ask(door, "POST", f"{path}:resume", json={"until": "2030-01-01T06:00:00+01:00"})
    assert (status, told["state"], told["until"], told["budget"]) == (
        *(202, "validating"),
        *("2030-01-01T06:00:00+01:00", None),
    )
    async with world.feeding(made["batchId"]):
        await until(lambda: world.is_in(State.IN_PROGRESS, batch_id=made["batchId"]))
        assert (await ask(door, "POST", f"{path}:pause"))[1]["state"] == "paused"
    assert (await ask(door, "POST", f"{path}:resume"))[1]["state"] == "in_progress"
    assert (await ask(door, "POST", f"{path}:cancel"))[1]["state"] == "cancelling"
    assert (await ask(door, "POST", f"{path}:cancel"))[0] == 202
    for what in ("pause", "resume"):
        status, told = await ask(door, "POST", f"{path}:{what}")
        assert (status, told["code"]) == (409, "batch_ended")
    await world.settled(made["batchId"])
    assert (await ask(door, "GET", path))[1]["state"] == "cancelled"
    assert (await ask(door, "POST", f"{path}:cancel"))[1]["code"] == "batch_ended"


async def test_what_a_cancelled_batch_never_came_to_may_be_run_again(door: aiohttp.ClientSession, world: World) -> None:
    rejected = {"speakerId": "s0", "source": "/never.wav", "rejected": "yes"}
    _, made = await ask(door, "POST", "/v1/batches", json={"rows": [*world.rows(3, speakers=3), rejected]})
    await ask(door, "POST", f"/v1/batches/{made['batchId']}:cancel")
    await world.settled(made["batchId"])
    again = await lines(door, f"/v1/batches/{made['batchId']}/rerun.jsonl")
    assert [row["speakerId"] for row in again] == ["s0", "s1", "s2"]


async def test_a_repeated_request_is_answered_as_the_first(door: aiohttp.ClientSession) -> None:
    headers = {"Idempotency-Key": "k1"}
    body = {"rows": [{"speakerId": "anna", "source": "/a.wav"}]}
    first = await ask(door, "POST", "/v1/batches", json=body, headers=headers)
    assert await ask(door, "POST", "/v1/batches", json=body, headers=headers) == first
    assert first[0] == 202
