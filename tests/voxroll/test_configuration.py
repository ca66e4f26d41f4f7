"""`voxroll config` tells everything but secrets."""

import json
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.settings import Settings
from tests.support.up import voxroll
from voxroll.commands.configuration import settings_of, shown

_SECRET = "s3cret" * 8


def test_secrets_are_hidden_origins_told_and_strangers_pointed_out(tmp_path: Path) -> None:
    secrets = dict.fromkeys(("VOXROLL_ENGINE_TOKEN_KEY", "VOXROLL_API_JWT", "VOXROLL_REDIS_URL"), _SECRET)
    said = voxroll("config", "--json", data_dir=tmp_path, **secrets, VOXROLL_ACCOUNTS="x")
    assert said.returncode == 0, said.stderr
    assert _SECRET not in said.stdout + said.stderr
    found = json.loads(said.stdout)
    assert found["unknown"] == ["VOXROLL_ACCOUNTS"]
    origins = {one["variable"]: one["origin"] for one in found["settings"]}
    assert {origins[name] for name in secrets} == {"env"}
    assert origins["VOXROLL_GOAL_QUALITY"] == "default"
    plain = voxroll("config", data_dir=tmp_path, **secrets, VOXROLL_ACCOUNTS="x")
    assert _SECRET not in plain.stdout + plain.stderr
    assert "is VOXROLL_ACCOUNT meant?" in plain.stderr


def test_settings_that_cant_be_used_end_with_78_and_name_the_variable(tmp_path: Path) -> None:
    said = voxroll("status", data_dir=tmp_path, VOXROLL_GOAL_QUALITY="Superb")
    assert said.returncode == 78
    assert "VOXROLL_GOAL_QUALITY" in said.stderr
    assert "Traceback" not in said.stderr


def test_every_setting_is_described_and_named_once() -> None:
    found = list(settings_of(Settings(), by_user=set(), by_up=frozenset()))
    assert len({one.variable for one in found}) == len(found) > 40
    assert not [one.variable for one in found if not one.description]


@given(secret=st.text(min_size=1))
def test_nothing_of_a_secret_is_shown(secret: str) -> None:
    assert shown(SecretStr(secret)) == shown(SecretStr("another"))


def test_durations_read_as_they_are_written() -> None:
    assert shown(timedelta(minutes=2)) == "120s"
