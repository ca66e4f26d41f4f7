"""Redis gone and back while the engine runs: 503 in between, nothing lost, nobody has to restart anything."""

from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from config.settings import Redis, Settings
from tests.support.engine import Receiver, running_engine
from tests.support.valkey import ValkeyProcess

Clip = Callable[..., bytes]


async def test_it_answers_503_and_recovers(settings: Settings, tmp_path: Path, clip: Clip, receiver: Receiver) -> None:
    server = ValkeyProcess(tmp_path / "own", fsync="always")
    server.start()
    own = settings.model_copy(update={"redis": Redis(url=SecretStr(server.url))})
    try:
        async with running_engine(own) as rc:
            before = await rc.enroll("a", clip(0, 0))
            server.kill()
            calls = [
                await rc.get("a"),
                await rc.listing(),
                await rc.add("a", clip(0, 2), webhook=receiver.url),
                await rc.delete("a"),
            ]
            for answer in calls:
                assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "store_away", "2")
                assert answer.body["errorCode"] == "CMN-201"
            assert (await rc.call("GET", "/readyz")).status == 503
            assert (await rc.call("GET", "/healthz")).status == 200
            server.start()
            assert (await rc.get("a")).body == before.body
            assert (await rc.call("GET", "/readyz")).status == 200
            assert (await rc.add("a", clip(0, 2), webhook=receiver.url)).status == 202
            _, body = await receiver.next()  # the lanes are back too
            assert body["totalEnrollDuration"] == 16.0
    finally:
        server.close()
