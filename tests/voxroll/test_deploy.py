"""The deployment files say what the commands and settings say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from config.settings import Settings
from voxroll.cli import app
from voxroll.commands.configuration import settings_of

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_DEPLOY / "compose.yaml").read_text())
    return found


def test_the_services_run_commands_that_exist(compose: dict[str, Any]) -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    rooms = {name for name, service in compose["services"].items() if "dockerfile" in service.get("build", {})}
    assert rooms == {"engine", "engine-work", "webhook", "worker"}
    assert {compose["services"][name]["command"][0] for name in rooms} <= commands


def test_every_variable_is_a_setting_and_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    settings = {one.variable for one in settings_of(Settings(), by_user=set(), by_up=frozenset())}
    for service in compose["services"].values():
        for variable, value in service.get("environment", {}).items():
            assert variable in settings
            if re.search(r"SECRET|KEY|JWT", variable):
                assert re.fullmatch(r"\$\{" + variable + r":\?.+\}", value), f"{variable} must be asked for"


def test_ports_are_bound_to_loopback_and_every_part_is_watched(compose: dict[str, Any]) -> None:
    services = compose["services"].values()
    assert all(port.startswith("127.0.0.1:") for service in services for port in service.get("ports", []))
    assert all("healthcheck" in service for service in services)


def test_the_image_runs_as_nobody_special_from_the_lock() -> None:
    lines = (_DEPLOY / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)
    (user,) = [line.split()[1] for line in lines if line.startswith("USER")]
    assert int(user.split(":")[0]) > 0
    assert any("--require-hashes -r requirements.lock" in line for line in lines)
