"""One supervised process: what it does when it dies, and that it never outlives its end."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.up import lives
from voxroll.failure import CommandError, Exit
from voxroll.up.child import Child, Program, open_log, refusal_of

_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)


def child(code: str, logs: Path) -> Child:
    return Child(Program("trial", [sys.executable, "-c", code], {}), logs, pauses_s=(0, 0, 0, 0))


async def test_a_process_that_keeps_dying_ends_the_line_with_its_last_words(tmp_path: Path) -> None:
    dying = child("print('the disk is full'); raise SystemExit(3)", tmp_path)
    await dying.start()
    with pytest.raises(CommandError, match=r"(?s)exit code 3, 5 times in 30 s.*the disk is full") as failed:
        await dying.watch()
    assert failed.value.exit_code is Exit.FAILED
    assert dying.log.read_text().count("full") == 5


async def test_settings_that_cant_be_used_are_not_tried_again(tmp_path: Path) -> None:
    refusing = child("raise SystemExit(78)", tmp_path)
    await refusing.start()
    with pytest.raises(CommandError) as failed:
        await refusing.watch()
    assert failed.value.exit_code is Exit.SETTINGS
    assert len(refusing.deaths) == 1


async def test_one_that_will_not_end_is_killed_once_the_user_hurries(tmp_path: Path) -> None:
    stubborn = child(_STUBBORN, tmp_path)
    await stubborn.start()
    pid = stubborn.pid
    assert pid is not None
    await _until_it_says(stubborn.log, "up")
    hurry = asyncio.Event()
    watching = asyncio.create_task(stubborn.watch())
    stopping = asyncio.create_task(stubborn.stop(hurry))
    hurry.set()
    await asyncio.gather(stopping, watching)
    assert not lives(pid)


async def test_one_that_was_told_to_end_is_not_started_again(tmp_path: Path) -> None:
    ended = child("import time; time.sleep(60)", tmp_path)
    await ended.stop(asyncio.Event())
    await ended.start()
    assert ended.pid is None


async def _until_it_says(log: Path, word: str) -> None:
    async with asyncio.timeout(20):
        while word not in log.read_text():  # noqa: ASYNC110  (a file has no event)
            await asyncio.sleep(0)


def test_a_log_that_has_grown_is_set_aside_once(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "trial.log"
    for _ in range(3):
        with open_log(log) as opened:
            opened.truncate(0)
            opened.write(b"\0" * (10 * 1024 * 1024 + 1))
    with open_log(log) as opened:
        assert opened.tell() == 0
    assert sorted(path.name for path in log.parent.iterdir()) == ["trial.log", "trial.log.1"]


def test_why_a_process_gave_up_is_told_in_its_own_words() -> None:
    line = '{"reason": "redis_unreachable: no answer; start it", "event": "process.refused", "level": "error"}'
    found = refusal_of(f"something before\n{line}\n", "keys_failed")
    assert (found.code, found.message) == ("redis_unreachable", "no answer; start it")
    found = refusal_of('{"reason": "no code: here"}', "keys_failed")
    assert (found.code, found.message) == ("keys_failed", "no code: here")
    for text, words in (("Killed", "Killed"), ("", "nothing was written"), ("[1]", "[1]")):
        found = refusal_of(text, "keys_failed")
        assert (found.code, words in found.message, found.exit_code) == ("keys_failed", True, Exit.UNAVAILABLE)
