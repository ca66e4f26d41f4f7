"""Vectors are compared only where one model made them all: it is known by its weights, not by its name alone."""

import json
import shutil
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from engine.service import keys
from engine.service.applying import already_applied, comparable
from engine.service.enrollment import Ask, Enrollment, Held, Model, Verb
from engine.service.failure import ApiError
from engine.voice import model
from tests.engine.service.conftest import Clip
from tests.support.engine import Rc, running_engine, sample

_MODEL = "campplus"


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a cache of models of their own."""
    shutil.copytree(model.ensure(settings.cache_dir).parent, tmp_path / "cache" / "models")
    return settings.model_copy(update={"cache_dir": tmp_path / "cache"})


def put_another(cache_dir: Path) -> None:
    """Another model under the same name, as `voxroll model fetch --from` would leave it: its centre lies elsewhere."""
    file = cache_dir / "models" / _MODEL / "manifest.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps(told | {"wide": [value + 0.01 for value in told["wide"]]}))


async def identified(rc: Rc, audio: bytes, *speaker_ids: str) -> tuple[int, str]:
    body = sample(audio) | {"speakerIds": speaker_ids}
    answer = await rc.call("POST", "/ai/audio/v1/speaker-identify", json=body)
    return answer.status, "" if answer.status == 200 else answer.error["message"]


async def test_another_model_of_the_same_name_is_found_out(own: Settings, clip: Clip) -> None:
    async with running_engine(own, loads=True) as rc:
        assert (await rc.enroll("anna", clip(0, 0, seconds=20))).status == 201
        assert (await identified(rc, clip(0, 3), "anna"))[0] == 200
    put_another(own.cache_dir)
    async with running_engine(own, loads=True) as rc:
        status, message = await identified(rc, clip(0, 3), "anna")
        assert (status, message.partition(":")[0]) == (400, "other_model")
        assert message.count(f"{_MODEL} (") == 2  # either is told by its weights, too
        answer = await rc.add("anna", clip(0, 5))
        assert (answer.status, answer.code) == (400, "other_model")
        assert (await rc.delete("anna")).status == 204
        assert (await rc.enroll("anna", clip(0, 0, seconds=20))).status == 201
        assert (await identified(rc, clip(0, 3), "anna"))[0] == 200


async def test_enrollments_of_before_go_by_the_name_until_a_sample_is_added(
    own: Settings, redis: ArqRedis, clip: Clip
) -> None:
    async with running_engine(own, loads=True) as rc:
        await rc.enroll("anna", clip(0, 0, seconds=20))
        key = keys.enrollment(own.account, "anna")
        document = json.loads(await redis.hget(key, "document") or b"")  # type: ignore[misc]  # typed for both clients
        made_by = document.pop("model_id")
        await redis.hset(key, "document", json.dumps(document))  # type: ignore[misc]
        assert (await identified(rc, clip(0, 3), "anna"))[0] == 200
        assert (await rc.add("anna", clip(0, 5))).status == 201
        assert json.loads(await redis.hget(key, "document") or b"")["model_id"] == made_by  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "model_id", "ids", "is_refused"),
    [
        ("m", "1", ("1", "0"), False),
        ("m", "0", ("1", "0"), False),  # what its vectors were known by before
        ("m", "2", ("1", "0"), True),
        ("other", "1", ("1",), False),  # the same weights under another name
        ("m", "", ("1",), False),
        ("other", "", ("1",), True),
        ("m", "2", (), False),  # a process without ears: who listens refuses it
    ],
)
def test_a_model_is_told_by_its_weights_where_they_are_known(
    name: str, model_id: str, ids: tuple[str, ...], *, is_refused: bool
) -> None:
    held = Held(Enrollment("a", name, created_ms=1, model_id=model_id), version=1)
    ask = Ask(Verb.ADD, "a", key="k", sha256="s", asked_ms=2, parameter="speakerId")
    codes = set()
    try:
        already_applied(held, ask, model=Model("m", ids))
    except ApiError as error:
        codes.add(error.code)
    try:
        comparable({"a": held}, model=Model("m", ids))
    except ApiError as error:
        codes.add(error.code)
    assert ("other_model" in codes) == is_refused
