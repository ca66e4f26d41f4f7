"""RingCentral's own clients against the engine, unmodified but for the server's address.

They log in, check, create, update, list, identify, diarize, refresh, delete and log out. They are installed into the
cache once; where that can't be done the test is skipped.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Settings
from config.settings import load as load_settings
from tests.support.engine import credential, receiving, running_engine
from tests.support.speech import said, speakers, wav

_HERE = Path(__file__).parent
_INSTALL_S, _LIFE_S = 100, 60


@dataclass(frozen=True)
class Client:
    """One client: what it is called, how it is installed into a folder, and what runs its script."""

    package: str
    install: Callable[[Path], Sequence[str]]
    life: tuple[str, str]


_PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]
PYTHON = Client(
    "ringcentral==0.9.2",
    install=lambda folder: [*_PIP, str(folder), "ringcentral==0.9.2"],
    life=(sys.executable, "life.py"),
)
JAVASCRIPT = Client(
    "@ringcentral/sdk@5.0.11",
    install=lambda folder: [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        "@ringcentral/sdk@5.0.11",
    ],
    life=("node", "life.cjs"),
)


def installed(client: Client) -> Path:
    """Where the client is installed; the calling test is skipped where it can't be."""
    folder = load_settings().cache_dir / "clients" / client.package.replace("/", "-")
    if folder.is_dir():
        return folder
    command = client.install(folder)
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}: install Node.js to try RingCentral's JavaScript client")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        made = Path(work) / "client"
        made.mkdir()
        try:
            subprocess.run(client.install(made), check=True, capture_output=True, timeout=_INSTALL_S)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"{client.package} can't be installed ({type(error).__name__}): is there a package registry?")
        if not folder.is_dir():
            made.rename(folder)
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    """Two samples of Ann, and a talk of Ann and Bob."""
    ann, bob = sorted(speakers())[:2]
    talk = np.concatenate([said(ann, seconds=12, skip=4), said(bob, seconds=12, skip=4)])
    made = {"first": said(ann, seconds=10), "second": said(ann, seconds=12, skip=2), "talk": talk}
    for name, samples in made.items():
        (tmp_path / f"{name}.wav").write_bytes(wav(samples))
    return [str(tmp_path / f"{name}.wav") for name in made]


@pytest.mark.parametrize("client", [PYTHON, JAVASCRIPT], ids=["python", "javascript"])
@pytest.mark.parametrize("profile", ["2022", "2024"])
async def test_the_life_of_an_enrollment(settings: Settings, client: Client, profile: str, clips: list[str]) -> None:
    folder = await asyncio.to_thread(installed, client)
    async with running_engine(settings.model_copy(update={"profile": profile})) as rc, receiving() as receiver:
        secret = settings.engine.client_secret.get_secret_value()
        seen = await _run(client, folder, [rc.url, secret, credential(settings), receiver.url, *clips])
        paths = {(await receiver.next())[0].path_qs for _ in range(2)}
    statuses = {name: answer[0] for name, answer in seen.items() if isinstance(answer, list)}
    enrolled = {"absent": 404, "created": 201, "updated": 201, "found": 200, "listed": 200, "deleted": 204}
    assert statuses == enrolled | {"identify": 202, "diarize": 202}
    assert seen["absent"][1]["errors"][0]["errorCode"] == "CAI-101"
    assert seen["created"][1]["speakerId"] == seen["created"][1]["enrollmentId"] == "ann_1"
    assert seen["updated"][1] == seen["found"][1] == seen["listed"][1]["records"][0]
    assert seen["found"][1]["enrollmentComplete"] is True
    names = [one["speakerId"] for one in seen["identified"]["response"]["utterances"]]
    assert names == ["ann_1", "UserNotIdentified", "UserNotIdentified"]
    assert seen["diarized"]["status"] == "Success"
    assert paths == {"/identified?n=1&m=2", "/diarized"}
    assert seen["logged_in"] is False


async def _run(client: Client, folder: Path, arguments: Sequence[str]) -> dict[str, Any]:
    program, script = client.life
    process = await asyncio.create_subprocess_exec(
        program,
        str(_HERE / script),
        *arguments,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _LIFE_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()[-3000:]
    found: dict[str, Any] = json.loads(out)
    return found
