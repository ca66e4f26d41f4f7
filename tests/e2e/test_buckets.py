"""A manifest in a bucket and recordings beside it, over real HTTP: planned, run, fetched; and what may not be read."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Intake, Settings
from tests.support.line import Line, line
from tests.support.speech import said, wav
from tests.support.stores import bucket
from tests.support.up import voxroll
from voxroll.failure import Exit
from worker.contract.manifest import read
from worker.contract.rows import Row
from worker.enrollment.errors import RejectError, RetryLaterError, VoxrollError
from worker.enrollment.record import RecordingId, SpeakerId
from worker.fetch import Fetcher
from worker.prepare import prepare
from worker.store.objects import ObjectStore

_ROSTER = b"id,file\nanna,calls/a.wav\nben,https://x.example/b.wav\nclara,../c.wav\n"


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    objects = {
        "archive/2026/roster.csv": _ROSTER,
        "archive/2026/calls/a.wav": wav(said("1688", seconds=20)),
        "archive/large.wav": bytes(100_000),
    }
    async with bucket(objects) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield environment


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Line]:
    intake = settings.intake.model_copy(update={"buckets": ("s3://archive/2026",)})
    async with line(settings.model_copy(update={"intake": intake})) as one:
        yield one


async def ask(here: Line, source: str) -> tuple[int, dict[str, Any]]:
    body = {"speakerId": "anna", "recordings": [{"source": source}]}
    async with here.door.post("/v1/enrollments", json=body) as answer:
        return answer.status, await answer.json()


async def test_a_recording_in_an_allowed_bucket_is_fetched_and_no_other(here: Line, store: dict[str, str]) -> None:
    assert store
    status, told = await ask(here, "s3://archive/2026/calls/a.wav")
    assert (status, told["samples"][0]["source"]) == (202, "s3://archive/2026/calls/a.wav")
    what = RecordingId(told["samples"][0]["recordingId"])
    assert await prepare(here.shop, SpeakerId("anna"), what, job_try=1) == "ready"
    for source, code in (
        ("s3://archive/2025/a.wav", "forbidden_source"),
        ("gs://archive/2026/a.wav", "forbidden_source"),
        ("s3://archive/2026/../a.wav", "unreadable_source"),
        ("s3://archive", "unreadable_source"),
    ):
        status, told = await ask(here, source)
        assert (told["code"], status) == (code, 403 if code == "forbidden_source" else 422), source


async def test_a_manifest_in_a_bucket_is_planned_and_run_with_ones_own_credentials(
    here: Line, store: dict[str, str], tmp_path: Path
) -> None:
    url, place = "s3://archive/2026/roster.csv", str(here.door._base_url)  # noqa: SLF001 -- where the door is

    async def run(*arguments: str, **variables: str) -> dict[str, Any]:
        options = {"data_dir": tmp_path / "data", "VOXROLL_URL": place} | store | variables
        done = await asyncio.to_thread(voxroll, *arguments, "--json", **options)  # type: ignore[arg-type]  # a mix
        found: dict[str, Any] = json.loads(done.stdout)
        return found | {"exit": done.returncode}

    planned = await run("plan", url, "--into", str(tmp_path))
    assert (planned["speakers"]["unseen"], planned["speakers"]["blocked"]) == (3, 0)
    sources = [row.source for row in read(tmp_path / "plan.jsonl") if isinstance(row, Row)]
    assert sources == ["s3://archive/2026/calls/a.wav", "https://x.example/b.wav", "s3://archive/2026/../c.wav"]
    began = await run("run", url, "--no-wait")
    assert (began["exit"], began["name"], began["manifest"]["kind"]) == (Exit.OK, began["name"], "csv")
    plan = (await here.shop.batches.get(began["batchId"])).plan  # type: ignore[union-attr]
    assert (plan.folder, plan.buckets) == ("s3://archive/2026", ("s3://archive/2026",))
    for address, code in (
        ("s3://archive/2026/none.csv", "not_found"),
        ("s3://archive//2026", "unreadable_source"),
    ):
        assert (await run("run", address))["error"]["code"] == code
    denied = await run("run", url, AWS_ACCESS_KEY_ID="somebody")
    assert denied["error"]["code"] == "forbidden_source"


@pytest.mark.parametrize(
    ("source", "kind", "code"),
    [
        ("s3://archive/large.wav", RejectError, "too_large"),
        ("s3://archive/none.wav", RejectError, "not_found"),
        ("s3://other/a.wav", RejectError, "forbidden_source"),
    ],
)
async def test_what_goes_wrong_has_a_code(
    settings: Settings, store: dict[str, str], tmp_path: Path, *, source: str, kind: type[VoxrollError], code: str
) -> None:
    assert store
    fetcher = Fetcher(ObjectStore(settings), intake=Intake(max_bytes=50_000, buckets=("s3://archive",)))
    with pytest.raises(kind) as failed:
        await fetcher.fetch(source, to=tmp_path / "r")
    assert failed.value.code == code


async def test_a_store_that_is_away_is_tried_again_later(
    settings: Settings, store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fetcher = Fetcher(ObjectStore(settings), intake=Intake(buckets=("s3://archive",)))
    with pytest.raises(RetryLaterError) as failed:
        await fetcher.fetch("s3://archive/a.wav", to=tmp_path / "r")
    assert failed.value.code == "source_unavailable"
