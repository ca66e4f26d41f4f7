"""`voxroll review` in a process of its own, and decisions as its page sends them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support.up import environment
from voxroll import plan_file

_END_S = 60


class Command:
    """One review, ready once it is constructed; `told` is what it says of itself."""

    def __init__(self, plan: Path, data_dir: Path, **variables: str) -> None:
        self._plan = plan
        self.process = subprocess.Popen(
            [sys.executable, "-m", "voxroll", "review", str(plan), "--json"],
            env=environment(data_dir, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.told: dict[str, Any] = json.loads(self.process.stdout.readline())

    def decide(self, decision: str, speaker_id: str, **said: object) -> dict[str, Any]:
        """Decide of all recordings of a speaker."""
        entries = [one for one in plan_file.read(self._plan) if one.speaker_id == speaker_id]
        body = {"decision": decision, "rows": [{"line": one.line, "is": one.is_} for one in entries], **said}
        url = self.told["url"]
        headers = {"Content-Type": "application/json", "Origin": url.rsplit("/", 2)[0]}
        with urlopen(Request(f"{url}decide", json.dumps(body).encode(), headers), timeout=_END_S) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def ends(self, number: int) -> tuple[int, str]:
        """What it ends with after a signal, and all it has said since."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=_END_S)
        return self.process.returncode, out + err
