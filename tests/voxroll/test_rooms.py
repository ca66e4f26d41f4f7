"""`voxroll engine --faults`: the modes are told, and what is none is refused at start."""

from pathlib import Path

import pytest

from engine.service.faults import Mode
from tests.support.up import voxroll
from voxroll.commands.rooms import FAULTS_HELP
from voxroll.failure import Exit

_KEY = "k" * 48


@pytest.mark.parametrize("mode", Mode)
def test_the_help_tells_every_mode(mode: Mode) -> None:
    assert f" {mode}: " in FAULTS_HELP


def test_an_unknown_mode_ends_the_engine_with_78_and_names_the_known_ones(tmp_path: Path) -> None:
    secrets = dict.fromkeys((f"VOXROLL_ENGINE_{name}" for name in ("TOKEN_KEY", "CLIENT_SECRET", "VOICE_KEY")), _KEY)
    done = voxroll("engine", "--faults", "flakey", "--seed", "7", data_dir=tmp_path, **secrets)
    assert done.returncode == Exit.SETTINGS
    assert "'flakey' is no mode; there are flaky, slow" in done.stderr
