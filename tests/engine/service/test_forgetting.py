"""What was erased leaves Redis's own files too: they are rewritten within the time that is set, whatever happens."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr
from structlog.testing import capture_logs

from config.settings import Redis, Settings
from engine.service import keys
from engine.service.forgetting import Forgetting
from engine.service.store import fields
from tests.support.engine import running_engine
from tests.support.valkey import ValkeyProcess
from tests.support.waiting import until
from worker.queue.connect import client, close

Clip = Callable[..., bytes]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ValkeyProcess]:
    """A server whose files hold nobody else's data."""
    server = ValkeyProcess(tmp_path / "valkey", fsync="always")
    server.start()
    yield server
    server.close()


@pytest.fixture
def settings(settings: Settings, own: ValkeyProcess) -> Settings:
    engine = settings.engine.model_copy(update={"forget_within": timedelta(seconds=1)})
    return settings.model_copy(update={"redis": Redis(url=SecretStr(own.url)), "engine": engine})


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    pool = client(settings.redis, queue_name="none")
    yield pool
    await close(pool)


def hold(folder: Path, piece: bytes) -> list[str]:
    """The files below a folder that hold these bytes."""
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and piece in path.read_bytes():
                found.append(path.name)
        except FileNotFoundError:  # a file that was rewritten just now
            continue
    return found


async def sealed(redis: ArqRedis, settings: Settings, speaker_id: str) -> list[bytes]:
    """Of what is held of a speaker: the sealed data key, the sealed prints."""
    found = await fields(redis, keys.enrollment(settings.account, speaker_id), "key", "vectors")
    return [piece for piece in found if piece]


async def test_what_was_erased_is_in_no_file_within_the_time_that_is_set(
    settings: Settings, redis: ArqRedis, clip: Clip
) -> None:
    async with running_engine(settings) as rc:
        for number, who in enumerate(("ann", "bob")):
            assert (await rc.enroll(who, clip(number, 0))).status == 201
        before = await sealed(redis, settings, "ann")
        assert (await rc.add("ann", clip(0, 1))).status == 201
        pieces = [*before, *(await sealed(redis, settings, "ann"))]
        others = await sealed(redis, settings, "bob")
        folder = settings.data_dir
        assert all(hold(folder, piece) for piece in (*pieces, *others))
        assert (await rc.delete("ann")).status == 204
        await until(lambda: not any(hold(folder, piece) for piece in pieces))
        assert all(hold(folder, piece) for piece in others)
        await until(lambda: struck_off(redis, settings))
        assert (await rc.get("bob")).status == 200


async def struck_off(redis: ArqRedis, settings: Settings) -> bool:
    return not await redis.exists(keys.erased(settings.account), keys.forgetting(settings.account))


async def test_a_withdrawn_sample_is_forgotten_too(settings: Settings, redis: ArqRedis, clip: Clip) -> None:
    async with running_engine(settings) as rc:
        await rc.enroll("ann", clip(0, 0))
        await rc.add("ann", clip(0, 1))
        before = await sealed(redis, settings, "ann")
        listed = await rc.call("GET", "/ai/audio/v1/enrollments/ann/samples")
        path = f"/ai/audio/v1/enrollments/ann/samples/{listed.body['records'][0]['sampleId']}"
        assert (await rc.call("DELETE", path)).status == 200
        await until(lambda: not any(hold(settings.data_dir, piece) for piece in before))


async def test_a_process_that_died_over_it_leaves_it_to_the_next(settings: Settings, redis: ArqRedis) -> None:
    await redis.set(keys.forgetting(settings.account), "1")
    await redis.set("secret", b"long gone")
    await redis.delete("secret")
    async with running_engine(settings, hears=False):
        await until(lambda: not hold(settings.data_dir, b"long gone"))
        await until(lambda: struck_off(redis, settings))


async def test_nothing_is_rewritten_for_nothing_and_not_too_early(settings: Settings, redis: ArqRedis) -> None:
    async def rewrites() -> int:
        return int((await redis.info("persistence"))["aof_rewrites"])

    patient = Forgetting(redis, account=settings.account, within=timedelta(hours=1))
    assert await patient._take() is None  # noqa: SLF001  (the clock is Redis's own)
    await redis.set(keys.erased(settings.account), (await redis.time())[0] - 3400)
    assert await patient._take() is None  # noqa: SLF001
    await redis.set(keys.erased(settings.account), (await redis.time())[0] - 3500)
    assert await patient._take()  # noqa: SLF001
    assert await rewrites() == 0


async def test_a_redis_that_has_no_such_file_is_told_of_once_and_harms_nothing(
    settings: Settings, redis: ArqRedis
) -> None:
    await redis.config_set("appendonly", "no")
    await redis.set(keys.forgetting(settings.account), "1")
    forgetting = Forgetting(redis, account=settings.account, within=timedelta(seconds=1))
    with capture_logs() as logs:
        for _ in range(3):
            await forgetting._rewrite(b"1")  # noqa: SLF001
    assert [one["event"] for one in logs] == ["erasure.files_not_rewritten"]
    assert await redis.get(keys.forgetting(settings.account)) == b"1"
