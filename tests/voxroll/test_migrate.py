"""`voxroll migrate`: what it refuses, and what it ends with."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.up import voxroll
from voxroll.commands.migrate import exit_code
from voxroll.failure import Exit

HERE = "http://127.0.0.1:8720"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--to", "here"), "bad_usage"),
        (("--to", HERE), "same_provider"),
        (("--to", "https://example.org", "--as", "default"), "same_account"),
        (("--to", "https://example.org", "--as", "a b"), "bad_usage"),
        (("--to", "https://example.org", "--window", "soon"), "bad_duration"),
    ],
)
def test_what_can_not_be_meant_is_told(tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    done = voxroll("migrate", *arguments, data_dir=tmp_path, COLUMNS="200")
    assert (done.returncode, code in done.stderr) == (Exit.USAGE, True), done.stderr


@pytest.mark.parametrize(
    ("speakers", "may_pass", "code"),
    [
        ({"at_parity": 3, "erased": 1, "not_enrolled": 2}, 0, Exit.OK),
        ({"at_parity": 3, "worse": 1}, 1, Exit.INCOMPLETE),
        ({"at_parity": 3, "missing": 1}, 0, Exit.FATAL),
        ({"pending": 1}, 1, Exit.INCOMPLETE),
        ({"not_enrolled": 2}, 0, Exit.NOTHING),
        ({}, 0, Exit.NOTHING),
    ],
)
def test_the_exit_code_says_whether_the_same_command_may_help(
    speakers: dict[str, Any], may_pass: int, code: Exit
) -> None:
    assert exit_code({"speakers": speakers, "mayPass": may_pass}) is code
