"""The systems that are compared: how each is run, what it promises, and how many jobs make a run of fair length."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["noop", "io"]

_PINS = Path(__file__).with_name("peers.txt")
_VENVS = Path("build/bench/venvs")


@dataclass(frozen=True, slots=True)
class System:
    """One system under one setting.

    `noop_rate` and `io_rate` are rough expectations in jobs/s: a run gets so many jobs that all last about as long.
    `queue`: its sorted set, which must be empty in the end, where it has one.
    """

    name: str
    script: str
    slots: int
    promise: str
    noop_rate: int
    io_rate: int
    queue: str = ""

    def rate(self, kind: Kind) -> int:
        return self.noop_rate if kind == "noop" else self.io_rate


_LEASED = "at least once: leased 30 s, another worker takes over"
_ARQ = "at least once: hidden for the job's timeout (5 min) after a crash"
OURS = System("ours, 100 slots", "ours", 100, _LEASED, 25_000, 1_800, "vx:{bench}:queue")
OURS_WIDE = System("ours, 500 slots", "ours", 500, _LEASED, 25_000, 8_000, "vx:{bench}:queue")
ARQ = System("arq, defaults", "arq", 0, _ARQ, 400, 40, "arq:queue")  # twice as long: it works in bursts
ARQ_TUNED = System("arq tuned, 100 slots", "arq", 100, _ARQ, 3_300, 1_300, "arq:queue")
PEERS = (
    System("saq, 100 slots", "saq", 100, "a crash fails the job unless retries > 1", 2_500, 1_600),
    System("taskiq streams, 100 slots", "taskiq", 100, "at least once: claimed again after 10 min", 4_200, 1_400),
    System("streaq, 100 slots", "streaq", 100, "at least once: claimed again after 1 min", 1_600, 1_200),
    System("dramatiq, 100 threads", "dramatiq", 100, "at least once: queued again after 1 min", 5_000, 1_800),
    System("celery gevent, 100 slots", "celery", 100, "acks early: a crash loses the job", 1_100, 1_000),
)


def pins() -> dict[str, list[str]]:
    """What each peer's environment holds."""
    lines = (line.partition(":") for line in _PINS.read_text().splitlines() if not line.startswith("#"))
    return {name: packages.split() for name, _, packages in lines if packages}


def python(system: System) -> str | None:
    """The interpreter to run a system with, its environment made if need be; None: it can't be had here."""
    packages = pins().get(system.script)
    if packages is None:
        return sys.executable
    venv = _VENVS / system.script
    done, wanted = venv / "installed.txt", " ".join(packages)
    if not done.exists() or done.read_text() != wanted:
        install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            for command in ([sys.executable, "-m", "venv", "--clear", str(venv)], install + packages):
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        done.write_text(wanted)
    return str(venv / "bin" / "python")
