"""`voxroll up` keeps its promises: one per folder, nothing left behind, everything found again after a kill."""

import os
import signal
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from config.settings import load
from engine.voice.manifest import SEGMENTATION
from tests.support.up import Up, ended, lives, voxroll
from voxroll.up import model
from voxroll.up.secrets import Secrets

_PATIENCE_S = 60
_ROOMS = {"engine", "webhook", "worker", "valkey"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One line that the gentle tests share; the last of them ends it."""
    with Up(tmp_path_factory.mktemp("up") / "data") as running:
        yield running


def test_another_up_on_the_same_folder_refuses(up: Up) -> None:
    refused = voxroll("up", data_dir=up.data_dir)
    assert refused.returncode == 1
    assert "already_running" in refused.stderr
    assert str(up.pid) in refused.stderr
    assert up.note["url"] in refused.stderr


def test_what_it_keeps_is_for_the_owner_alone(up: Up) -> None:
    modes = {name: stat.S_IMODE((up.data_dir / name).stat().st_mode) for name in (".", "secrets.json", "up.json")}
    assert modes == {".": 0o700, "secrets.json": 0o600, "up.json": 0o600}


def test_a_dead_front_door_comes_back_and_its_port_never_refuses(up: Up) -> None:
    before = up.children()
    os.kill(before["webhook"], signal.SIGKILL)
    with urllib.request.urlopen(f"{up.note['url']}/healthz", timeout=_PATIENCE_S) as answer:  # waits in the queue
        assert answer.status == 200
    assert up.children()["webhook"] != before["webhook"]


def test_the_database_refuses_to_forget(up: Up) -> None:
    with redis.Redis.from_url(up.note["redis_url"], decode_responses=True) as client:
        settings = client.config_get("appendonly", "maxmemory-policy", "port")
    assert settings == {"appendonly": "yes", "maxmemory-policy": "noeviction", "port": "0"}


def test_sigterm_ends_everything(up: Up) -> None:
    children = up.children()
    assert set(children) == _ROOMS
    assert up.end() == 0
    assert not [name for name, pid in children.items() if lives(pid)]
    assert not (up.data_dir / "up.json").exists()


def test_after_a_kill_of_the_supervisor_and_then_of_everything_it_carries_on(tmp_path: Path) -> None:
    with Up(tmp_path / "data") as first:
        children = first.children()
        _remember(first, "one")
        first.signal(signal.SIGKILL)
        first.wait()
        for room in _ROOMS - {"valkey"}:
            ended(children[room])  # they see the end of their standard input
        assert lives(children["valkey"]), "nobody tells Valkey: the next `up` has to"
    with Up(tmp_path / "data") as second:
        assert not lives(children["valkey"])
        assert _remembered(second) == {"one"}
        _remember(second, "two")
        for pid in (second.pid, *second.children().values()):
            os.kill(pid, signal.SIGKILL)
        second.wait()
    with Up(tmp_path / "data") as third:
        assert _remembered(third) == {"one", "two"}


def test_ctrl_c_twice_leaves_no_orphan(tmp_path: Path) -> None:
    with Up(tmp_path / "data") as running:
        children = running.children()
        running.signal(signal.SIGINT)
        running.signal(signal.SIGINT)
        assert running.wait() == 0
        assert not [name for name, pid in children.items() if lives(pid)]


def test_a_model_that_nobody_has_is_told_before_anything_starts(tmp_path: Path) -> None:
    refused = voxroll("up", data_dir=tmp_path / "data", VOXROLL_ENGINE_MODEL="nobodys")
    assert refused.returncode == 69
    assert "model_missing" in refused.stderr
    assert "--from" in refused.stderr


def test_both_models_are_looked_for(tmp_path: Path) -> None:
    settings = load().model_copy(update={"cache_dir": tmp_path})
    folders = [tmp_path / "models" / name for name in (settings.engine.model, SEGMENTATION)]
    assert model.missing(settings) == folders
    for folder in folders:
        folder.mkdir(parents=True)
    assert model.missing(settings) == []


def _remember(running: Up, word: str) -> None:
    with redis.Redis.from_url(running.note["redis_url"]) as client:
        client.sadd("remembered", word)


def _remembered(running: Up) -> set[str]:
    with redis.Redis.from_url(running.note["redis_url"], decode_responses=True) as client:
        return set(client.smembers("remembered"))


def test_work_may_be_shared_by_several_processes(tmp_path: Path) -> None:
    with Up(tmp_path / "data", VOXROLL_ENGINE_WORKERS="2", VOXROLL_LOG_FORMAT="json") as one:
        logs = {
            name: (one.data_dir / "logs" / f"{name}.log").read_text() for name in ("engine", "engine-1", "engine-2")
        }
        assert '"role": "api"' in logs["engine"]
        assert "model.loaded" not in logs["engine"]
        assert one.end() == 0
        assert all('"role": "work"' in (one.data_dir / "logs" / f"engine-{n}.log").read_text() for n in (1, 2))
        assert not (one.data_dir / "up.json").exists()


def test_keys_that_an_earlier_version_did_not_have_are_made_once(tmp_path: Path) -> None:
    made = Secrets.ensure(tmp_path)
    path = tmp_path / "secrets.json"
    path.write_text(made.model_dump_json(exclude={"engine_voice_key"}))
    renewed = Secrets.ensure(tmp_path)
    assert renewed == Secrets.ensure(tmp_path) == Secrets.read(tmp_path)
    assert renewed.model_copy(update={"engine_voice_key": made.engine_voice_key}) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
