"""The servers that are compared: how each is run, what it does for a callback, and what a 200 of it means."""

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ACCOUNT, KEY = "bench", "k" * 48

_PINS = Path(__file__).with_name("peers.txt")
_VENVS = Path("build/bench/venvs")
_DOORS_OWN = ("arq", "hiredis", "platformdirs", "pydantic", "pydantic-settings", "redis", "structlog", "uvloop")


@dataclass(frozen=True, slots=True)
class System:
    """One server. `peer`: whose environment it needs; empty: ours. `mode`: how a peer writes."""

    name: str
    module: str
    promise: str
    peer: str = ""
    mode: str = ""

    @property
    def is_durable(self) -> bool:
        """Whether it writes at all."""
        return self is not BARE


_WRITTEN = "200 means: token checked, body valid, callback and job written and acknowledged"
OURS = System("ours", "webhook", _WRITTEN + "; one round trip per group")
BARE = System("aiohttp, bare", "tests.bench.door.peers.bare", "200 means nothing")
FASTAPI = System(
    "fastapi + uvicorn",
    "tests.bench.door.peers.fastapi",
    _WRITTEN + "; one round trip per callback",
    peer="fastapi",
    mode="plain",
)
FASTAPI_GROUPED = System(
    "fastapi + uvicorn, grouped",
    "tests.bench.door.peers.fastapi",
    _WRITTEN + "; our group commit",
    peer="fastapi",
    mode="grouped",
)
STARLETTE = System(
    "starlette + granian",
    "tests.bench.door.peers.starlette",
    _WRITTEN + "; one round trip per callback",
    peer="starlette",
    mode="plain",
)
STARLETTE_GROUPED = System(
    "starlette + granian, grouped",
    "tests.bench.door.peers.starlette",
    _WRITTEN + "; our group commit",
    peer="starlette",
    mode="grouped",
)
PEERS = (FASTAPI, FASTAPI_GROUPED, STARLETTE, STARLETTE_GROUPED)


def pins() -> dict[str, list[str]]:
    """What each peer's environment holds."""
    lines = (line.partition(":") for line in _PINS.read_text().splitlines() if not line.startswith("#"))
    own = [f"{name}=={version(name)}" for name in _DOORS_OWN]
    return {name: [*packages.split(), *own] for name, _, packages in lines if packages}


def python(system: System) -> str | None:
    """The interpreter to run a system with, its environment made if need be; None: it can't be had here."""
    if not system.peer:
        return sys.executable
    venv, wanted = _VENVS / f"door-{system.peer}", " ".join(packages := pins()[system.peer])
    done = venv / "installed.txt"
    if not done.exists() or done.read_text() != wanted:
        install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            for command in ([sys.executable, "-m", "venv", "--clear", str(venv)], install + packages):
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        done.write_text(wanted)
    return str(venv / "bin" / "python")


def environment(system: System, *, redis_url: str, port: int, folder: Path) -> dict[str, str]:
    """What a server is told: ours in its own settings, the others in a few variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOXROLL_")}
    if system is OURS:
        return kept | {
            "VOXROLL_ACCOUNT": ACCOUNT,
            "VOXROLL_DATA_DIR": str(folder),
            "VOXROLL_REDIS_URL": redis_url,
            "VOXROLL_WEBHOOK_PORT": str(port),
            "VOXROLL_WEBHOOK_TOKEN_KEY": KEY,
            "VOXROLL_LOG_FORMAT": "json",
        }
    told = {"PORT": str(port), "REDIS": redis_url, "ACCOUNT": ACCOUNT, "KEY": KEY, "MODE": system.mode}
    return kept | {"PYTHONPATH": str(Path.cwd())} | {f"BENCH_{name}": value for name, value in told.items()}
