"""From one engine to another: killed on the way, each sample is applied there once, and the report says what is so.

`--calls` bounds all runs together: no stretch of its window has more of them, whoever was killed in it.
"""

import csv
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis

from config.settings import Api, Settings
from tests.support.house import Guest, House, token, visiting
from tests.support.line import credential
from tests.support.points import Points
from tests.support.rooms import Rooms
from tests.support.up import environment
from tests.support.waiting import until
from voxroll.failure import Exit
from worker.api.keys import calls
from worker.api.token import group_of
from worker.store import keys
from worker.store.objects import CLIPS, folder_of

THERE = "there"
_CALLS, _WINDOW_S = 3, 0.25  # four speakers are moved at one time
_PATIENCE_S, _PAUSE_S = 90.0, 0.1
_QUICK = {"WORKER_LEASE": "1s", "WORKER_SWEEP": "1s", "WORKER_ANSWER_DEADLINE": "2s", "API_TIMEOUT": "3s"}


@dataclass(frozen=True, slots=True)
class Move:
    """A house, another engine, and the command between them."""

    house: House
    other: Rooms
    settings: Settings
    points: Points
    into: Path
    left: dict[bytes, float]

    def begin(self) -> subprocess.Popen[str]:
        """`voxroll migrate`."""
        here, there = self.house.settings, self.settings
        named = {
            "ACCOUNT": here.account,
            "REDIS_URL": here.redis.url.get_secret_value(),
            "CACHE_DIR": str(here.cache_dir),
            "API_BASE_URL": self.house.rooms.engine_url,
            "API_JWT": "that of the source",
            "WORKER_VOICE_KEY": here.worker.voice_key.get_secret_value(),
            "TO_CLIENT_SECRET": there.engine.client_secret.get_secret_value(),
            "TO_JWT": credential(there).get_secret_value(),
            "POINTS": str(self.points.folder),
            "LOG_FORMAT": "json",
        }
        variables = {f"VOXROLL_{name}": value for name, value in (named | _QUICK).items()}
        command = [sys.executable, "-m", "voxroll", "migrate", "--to", self.other.engine_url, "--as", THERE]
        bounds = ["--calls", str(_CALLS), "--window", f"{_WINDOW_S}s"]
        return subprocess.Popen(
            [*command, *bounds, "--into", str(self.into), "--json"],
            env=environment(here.data_dir, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    async def run(self) -> tuple[int, str]:
        """The same to its end: the exit code, and what was said; `left` gets when each call left, in ms."""
        group = group_of(THERE, Api(jwt=credential(self.settings)), name="heavy")
        with redis.Redis.from_url(self.house.valkey.url) as plain, self.begin() as process:

            def has_ended() -> bool:
                self.left.update(plain.zrange(calls(group), 0, -1, withscores=True))
                return process.poll() is not None

            try:
                await until(has_ended, within_s=_PATIENCE_S, pause_s=_PAUSE_S)
                return process.returncode, process.communicate()[0]
            finally:
                process.kill()

    async def heard(self, rooms: Rooms, settings: Settings, guest: Guest) -> dict[str, tuple[Any, ...]]:
        """What an engine has of everybody: audio seconds, whether complete, the grade."""
        bearer = await token(guest.http, rooms.engine_url, settings)
        url = f"{rooms.engine_url}/ai/audio/v1/enrollments?partial=true"
        async with guest.http.get(url, headers=bearer) as answer:
            records = (await answer.json())["records"]
        names = ("totalEnrollDuration", "enrollmentComplete", "enrollmentQuality")
        return {one["speakerId"]: tuple(one[name] for name in names) for one in records}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    one = House(tmp_path_factory.mktemp("house"))
    one.open()
    yield one
    one.close()


@pytest.fixture
async def guest(house: House) -> AsyncIterator[Guest]:
    async with visiting(house) as one:
        yield one


@pytest.fixture
async def move(house: House, tmp_path: Path) -> AsyncIterator[Move]:
    settings = house.settings.model_copy(update={"account": THERE, "data_dir": tmp_path})
    other = Rooms(settings)
    other.start("engine")

    async def is_ready() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(other.engine_url + "/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await until(is_ready)
    yield Move(house, other, settings, Points(tmp_path / "points"), tmp_path / "report", {})
    other.close()


async def test_everybody_is_moved_once_however_often_it_is_killed(guest: Guest, move: Move) -> None:
    names = [await guest.hand_in() for _ in range(5)]
    for name in names:
        await guest.settled(name)
    erased, cut_again, lost, *_ = names
    await guest.erase(erased)
    await guest.gone(erased)
    forget_clips(move.house, cut_again)
    forget_clips(move.house, lost)
    for sample in (await guest.document(lost))["samples"][:1]:
        Path(sample["recipe"]["source"].removeprefix("file://").partition("?")[0]).rename(
            move.into.parent / "moved.wav"
        )
    before = await move.heard(move.house.rooms, move.house.settings, guest)
    for point in ("migrate.brought", "submit.called", "submit.told"):
        move.points.arm(point, "kill")
        code, said = await move.run()
        assert (code, "migration_interrupted" in said) == (Exit.UNAVAILABLE, True), said
        assert not (move.points.folder / point).exists(), said
    _, said = await move.run()
    summary: dict[str, Any] = json.loads(said)
    assert summary.get("samples", {}).get("lost") == 1, said
    left = sorted(move.left.values())
    assert len(left) > 2 * _CALLS
    assert min(later - one for one, later in zip(left, left[_CALLS:], strict=False)) >= 1000 * _WINDOW_S
    assert (summary["speakers"]["erased"], summary["speakers"]["pending"]) == (1, 0)
    rows = {row["speakerId"]: row for row in map(json.loads, (move.into / "parity.jsonl").read_text().splitlines())}
    there = await move.heard(move.other, move.settings, guest)
    assert await move.heard(move.house.rooms, move.house.settings, guest) == before
    assert there.keys() == set(names) - {erased}
    with redis.Redis.from_url(move.house.valkey.url) as plain:  # prints were sealed anew: voices are known there
        assert {name.decode() for name in plain.hkeys(keys.voices(THERE))} == there.keys()
    for name in there:
        told, was = rows[name]["after"], rows[name]["before"]
        assert there[name] == (pytest.approx(told["audioSeconds"], abs=0.1), told["complete"], told["quality"])
        assert before[name] == (pytest.approx(was["audioSeconds"], abs=0.1), was["complete"], was["quality"])
        if name != lost:
            assert (rows[name]["parity"], there[name]) == ("at_parity", before[name])
    assert len(rows[lost]["lost"]) == 1
    with (move.into / "parity.csv").open(newline="") as file:
        assert {row["speakerId"]: row["parity"] for row in csv.DictReader(file)} == {
            name: row["parity"] for name, row in rows.items()
        }
    audit = move.other.run("worker", "--audit", within_s=60)
    assert json.loads(audit.stdout.splitlines()[-1])["clean"], audit.stdout
    _, again = await move.run()
    assert json.loads(again)["speakers"] == summary["speakers"]
    assert await move.heard(move.other, move.settings, guest) == there


def forget_clips(house: House, name: str) -> None:
    folder = house.settings.data_dir / "objects" / folder_of(CLIPS, house.settings.account, name)  # type: ignore[arg-type]  # any text is an id here
    for path in folder.glob("*.wav"):
        path.unlink()
