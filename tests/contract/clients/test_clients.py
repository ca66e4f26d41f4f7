"""RingCentral's own clients against the engine, unmodified but for the server's address.

They log in, check, create, update, list, identify, diarize, refresh, delete and log out. They are installed into the
cache once; where that can't be done the test is skipped.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Settings
from tests.support.clients import from_npm, from_pypi
from tests.support.engine import credential, receiving, running_engine
from tests.support.speech import said, speakers, wav

_HERE = Path(__file__).parent
_LIFE_S = 60


@dataclass(frozen=True)
class Client:
    """One client: where it is installed, and what runs its script."""

    install: Callable[[], Path]
    life: tuple[str, str]


PYTHON = Client(lambda: from_pypi("ringcentral==0.9.2"), life=(sys.executable, "life.py"))
JAVASCRIPT = Client(lambda: from_npm("@ringcentral/sdk@5.0.11"), life=("node", "life.cjs"))


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
    folder = await asyncio.to_thread(client.install)
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
