"""What lies in Redis: no voiceprint in the clear, none after a deletion, and all of them after a change of the key."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Settings, SettingsError
from engine.service import keys
from engine.service.app import create_app
from engine.service.applying import tombstone, with_sample
from engine.service.enrollment import Ask, Held, Model, Verb
from engine.service.failure import ApiError
from engine.service.parts import seal_of
from engine.service.reseal import Progress, Resealer
from engine.service.vault import Vault
from engine.voice.voiceprint import SamplePrint
from tests.support.engine import running_engine
from tests.support.process import environment, started

Clip = Callable[..., bytes]
OLD, NEW = "k" * 48, "n" * 48


def keyed(settings: Settings, current: str, *former: str) -> Settings:
    changed = {"voice_key": SecretStr(current), "former_voice_keys": tuple(map(SecretStr, former))}
    return settings.model_copy(update={"engine": settings.engine.model_copy(update=changed)})


def vault(redis: ArqRedis, settings: Settings) -> Vault:
    return Vault(redis, seal_of(settings), account=settings.account)


def heard(number: int) -> SamplePrint:
    vector = np.random.default_rng(number).standard_normal(192).astype(np.float32)
    return SamplePrint(vector, 8.0, 9.0, 20.0, 0.0, 0.9, narrow_band=False, narrow_vector=-vector)


async def enrolled(kept: Vault, speaker_id: str, *, samples: int = 1) -> Held:
    held = await kept.get(speaker_id)
    for number in range(samples):
        ask = Ask(Verb.CREATE, speaker_id, key=f"k{number}", sha256=f"{number}", asked_ms=1, parameter="speakerId")
        assert await kept.commit(with_sample(held, ask, heard(number), model=Model("m"), now_ms=number))
        held = await kept.get(speaker_id)
    return held


async def row(redis: ArqRedis, settings: Settings, speaker_id: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = await redis.hgetall(keys.enrollment(settings.account, speaker_id))  # type: ignore[misc]
    return found


async def put(redis: ArqRedis, settings: Settings, **fields: bytes) -> None:
    """Tamper with what is held of anna."""
    mapping: dict[Any, Any] = dict(fields)
    await redis.hset(keys.enrollment(settings.account, "anna"), mapping=mapping)  # type: ignore[misc]  # both clients


async def test_prints_come_back_and_lie_in_no_key_in_the_clear(redis: ArqRedis, settings: Settings) -> None:
    held = await enrolled(vault(redis, settings), "anna", samples=3)
    assert [np.array_equal(one.vector, heard(number).vector) for number, one in enumerate(held.prints())] == [True] * 3
    kept = await row(redis, settings, "anna")
    assert set(kept) == {b"version", b"document", b"vectors", b"key"}
    for number in range(3):
        clear = heard(number).vector.tobytes()
        assert not any(clear[at : at + 16] in value for value in kept.values() for at in range(0, len(clear), 16))


async def test_a_deletion_keeps_no_key_and_a_copy_of_the_prints_stays_shut(redis: ArqRedis, settings: Settings) -> None:
    kept = vault(redis, settings)
    held = await enrolled(kept, "anna")
    stolen = (await row(redis, settings, "anna"))[b"vectors"]
    assert held.enrollment is not None
    assert await kept.commit(tombstone(held.enrollment, version=held.version, now_ms=5))
    assert set(await row(redis, settings, "anna")) == {b"version", b"document"}
    await enrolled(kept, "anna")
    await put(redis, settings, vectors=stolen)
    with pytest.raises(ApiError, match="voiceprints_damaged"):
        await kept.get("anna")


@pytest.mark.parametrize("fields", [["vectors"], ["key"], ["vectors", "key"], ["vectors", "key", "version"]])
async def test_prints_of_another_speaker_are_refused(redis: ArqRedis, settings: Settings, fields: list[str]) -> None:
    kept = vault(redis, settings)
    await enrolled(kept, "anna")
    await enrolled(kept, "bert", samples=2)
    foreign = await row(redis, settings, "bert")
    await put(redis, settings, **{name: foreign[name.encode()] for name in fields})
    with pytest.raises(ApiError, match="voiceprints_damaged"):
        await kept.get("anna")
    assert (await kept.look("anna")).alive is not None  # what needs no voice, a deletion too, goes on


async def test_an_earlier_state_of_the_prints_is_refused(redis: ArqRedis, settings: Settings) -> None:
    kept = vault(redis, settings)
    await enrolled(kept, "anna")
    earlier = await row(redis, settings, "anna")
    await enrolled(kept, "anna", samples=1)
    await put(redis, settings, vectors=earlier[b"vectors"], key=earlier[b"key"])
    with pytest.raises(ApiError, match="voiceprints_damaged"):
        await kept.get("anna")


async def test_prints_that_were_never_sealed_are_not_taken(redis: ArqRedis, settings: Settings) -> None:
    await enrolled(vault(redis, settings), "anna")
    clear = np.ones((1, 2, 192), np.float32).tobytes()
    for key in ((await row(redis, settings, "anna"))[b"key"], b""):
        await put(redis, settings, vectors=clear, key=key)
        with pytest.raises(ApiError, match="voiceprints_damaged"):
            await vault(redis, settings).get("anna")


async def test_after_resealing_the_new_key_alone_opens_everything(redis: ArqRedis, settings: Settings) -> None:
    before = {name: await enrolled(vault(redis, keyed(settings, OLD)), name) for name in map(str, range(40))}
    both = keyed(settings, NEW, OLD)
    await enrolled(vault(redis, both), "new")
    walk = Resealer(redis, seal_of(both), account=settings.account)
    assert [step async for step in walk.run()][-1] == Progress(resealed=40, current=1, total=41)
    assert [step async for step in walk.run()][-1] == Progress(current=41, total=41)
    new = vault(redis, keyed(settings, NEW))
    assert {name: (await new.get(name)).vectors for name in before} == {name: h.vectors for name, h in before.items()}
    with pytest.raises(ApiError, match="voice_key_unknown"):
        await vault(redis, keyed(settings, OLD)).get("7")


async def test_resealing_leaves_what_changes_meanwhile_to_whoever_changes_it(
    redis: ArqRedis, settings: Settings
) -> None:
    both = keyed(settings, NEW, OLD)
    old, new = vault(redis, keyed(settings, OLD)), vault(redis, both)
    for name in map(str, range(30)):
        await enrolled(old, name)

    async def change() -> None:
        for number in range(30):
            held = await new.get(str(number))
            assert held.enrollment is not None
            ask = Ask(Verb.ADD, str(number), key="more", sha256="more", asked_ms=1, parameter="speakerId")
            erased = tombstone(held.enrollment, version=held.version, now_ms=5)
            grown = with_sample(held, ask, heard(77), model=Model("m"), now_ms=6)
            assert await new.commit(erased if number % 3 == 0 else grown)

    async def walk() -> list[Progress]:
        return [step async for step in Resealer(redis, seal_of(both), account=settings.account).run()]

    steps, _ = await asyncio.gather(walk(), change())
    assert steps[-1].failed == 0
    await walk()
    only = vault(redis, keyed(settings, NEW))
    for number in range(30):
        held = await only.get(str(number))
        assert len(held.prints()) == (0 if number % 3 == 0 else 2)


async def test_what_can_not_be_opened_is_counted_and_the_rest_is_done(redis: ArqRedis, settings: Settings) -> None:
    for name, key in (("a", OLD), ("b", "x" * 48), ("c", OLD)):
        await enrolled(vault(redis, keyed(settings, key)), name)
    walk = Resealer(redis, seal_of(keyed(settings, NEW, OLD)), account=settings.account)
    assert [step async for step in walk.run()][-1] == Progress(resealed=2, failed=1, total=3)


async def test_an_engine_with_another_key_does_not_start(redis: ArqRedis, settings: Settings) -> None:
    await enrolled(vault(redis, keyed(settings, OLD)), "anna")
    runner = web.AppRunner(create_app(keyed(settings, NEW)))
    with pytest.raises(SettingsError, match=r"VOXROLL_ENGINE_VOICE_KEY: .*anna.*FORMER_VOICE_KEYS"):
        await runner.setup()
    await runner.cleanup()
    async with running_engine(keyed(settings, NEW, OLD), hears=False) as rc:
        assert (await rc.get("anna")).status == 200


async def test_a_sample_more_under_a_key_that_is_missing_is_503_and_a_deletion_goes_on(
    redis: ArqRedis, settings: Settings, clip: Clip
) -> None:
    async with running_engine(settings) as rc:
        await rc.enroll("a", clip(0, 0))
        await rc.enroll("b", clip(1, 0))
        await enrolled(vault(redis, keyed(settings, "x" * 48)), "c")  # by an engine with another key
        answer = await rc.add("c", clip(2, 0))
        assert answer.status == 400  # other_model is found before any print is opened
        document = json.loads((await row(redis, settings, "c"))[b"document"]) | {"model": settings.engine.model}
        await redis.hset(keys.enrollment(settings.account, "c"), "document", json.dumps(document))  # type: ignore[misc]
        answer = await rc.add("c", clip(2, 0))
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "voice_key_unknown", "2")
        assert (await rc.delete("c")).status == 204
        assert (await rc.add("a", clip(0, 2))).status == 201


async def test_the_command_reseals_and_says_so(redis: ArqRedis, settings: Settings) -> None:
    for name in map(str, range(20)):
        await enrolled(vault(redis, keyed(settings, OLD)), name)
    env = environment(settings, VOXROLL_ENGINE_VOICE_KEY=NEW, VOXROLL_ENGINE_FORMER_VOICE_KEYS=OLD)
    for expected in ({"resealed": 20, "current": 0}, {"resealed": 0, "current": 20}):
        async with started("engine", env, "--reseal") as process:
            _, said = await asyncio.wait_for(process.communicate(), 60)
        told = json.loads(said.splitlines()[-1])
        assert (process.returncode, told["event"]) == (0, "reseal.ended")
        assert expected.items() <= told.items()
        assert OLD.encode() not in said
    env = environment(settings, VOXROLL_ENGINE_VOICE_KEY="x" * 48)
    async with started("engine", env, "--reseal") as process:
        _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert json.loads(said.splitlines()[-1])["failed"] == 20
    assert b"Traceback" not in said
