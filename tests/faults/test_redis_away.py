"""Redis not there at start: nobody starts, with an exit code of its own and a message that says what to do."""

from pathlib import Path

from pydantic import SecretStr

from config.process import EXIT_UNAVAILABLE
from config.settings import Redis, Settings
from tests.support.rooms import ROOMS, Rooms


def test_without_redis_nothing_starts_and_the_message_says_why(settings: Settings, tmp_path: Path) -> None:
    nowhere = Redis(url=SecretStr(f"unix://{tmp_path}/none.sock"))
    rooms = Rooms(settings.model_copy(update={"redis": nowhere}), REDIS_TIMEOUT="1s")
    for room in ROOMS:
        rooms.start(room)
    for room in ROOMS:
        assert rooms.wait(room) == EXIT_UNAVAILABLE
        assert "redis_unreachable" in rooms.log(room)
        assert "VOXROLL_REDIS_URL" in rooms.log(room)
        assert "Traceback" not in rooms.log(room)
    rooms.close()
