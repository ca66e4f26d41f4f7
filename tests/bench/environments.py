"""Virtual environments of what we are measured beside, made once below build/ from a file of pins.

A line of such a file is `name: package==version ...`; `bare:` is installed without what it depends on. A changed file
makes the environment anew.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

_FOLDER = Path("build/bench/venvs")
_BARE = "bare"


def pins(file: Path, *, shared: Sequence[str]) -> list[str]:
    """What an environment holds; `shared`: in the versions of this environment."""
    lines = [line.partition(":") for line in file.read_text().splitlines() if not line.startswith("#")]
    listed = [pin for name, _, pins in lines if name != _BARE for pin in pins.split()]
    return [*listed, *(f"{name}=={version(name)}" for name in shared)]


def bare(file: Path) -> list[str]:
    """What is installed without dependencies."""
    return [
        pin
        for line in file.read_text().splitlines()
        if line.startswith(f"{_BARE}:")
        for pin in line.partition(":")[2].split()
    ]


def interpreter(name: str, file: Path, *, shared: Sequence[str]) -> str | None:
    """The Python of an environment, made if need be; None where its packages can't be had."""
    folder = _FOLDER / name
    python, done = str(folder / "bin" / "python"), folder / "installed.txt"
    listed, alone = pins(file, shared=shared), bare(file)
    wanted = " ".join([*listed, *alone])
    if not done.exists() or done.read_text() != wanted:
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        commands = [[sys.executable, "-m", "venv", "--clear", str(folder)], [*install, *listed]]
        if alone:
            commands.append([*install, "--no-deps", *alone])
        try:
            for command in commands:
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        done.write_text(wanted)
    return python
