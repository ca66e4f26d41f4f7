"""Packages of other languages' registries that tests run, installed into the cache once."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from config.settings import load

_INSTALL_S = 100
_PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]
_NPM = ["npm", "install", "--no-audit", "--no-fund", "--prefix"]


def from_pypi(package: str) -> Path:
    """The folder to put on Python's path."""
    return _installed(package, lambda folder: [*_PIP, str(folder), package])


def from_npm(package: str) -> Path:
    """The folder to run Node.js in."""
    return _installed(package, lambda folder: [*_NPM, str(folder), package])


def _installed(package: str, install: Callable[[Path], Sequence[str]]) -> Path:
    """Where a package is installed; the calling test is skipped where it can't be."""
    folder = load().cache_dir / "clients" / package.replace("/", "-")
    if folder.is_dir():
        return folder
    program = install(folder)[0]
    if shutil.which(program) is None:
        pytest.skip(f"no {program}: install Node.js to try {package}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        made = Path(work) / "client"
        made.mkdir()
        try:
            subprocess.run(install(made), check=True, capture_output=True, timeout=_INSTALL_S)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"{package} can't be installed ({type(error).__name__}): is there a package registry?")
        if not folder.is_dir():
            made.rename(folder)
    return folder
