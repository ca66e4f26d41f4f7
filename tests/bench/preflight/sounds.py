"""The recordings of the bench: calls of two people, real speech, made once below build/.

A call of five minutes holds several conversations of the corpus (tests/support/corpus.py), both parties in one channel:
the harder case, since who speaks must be found out. The three hours are its MP3 file over and over.
"""

from itertools import count
from pathlib import Path

import numpy as np

from engine.voice.samples import RATE_HZ
from tests.support.corpus import conversation, talkers, through

CALL_S, HOURS = 300, 3
_FOLDER = Path("build/bench/preflight")
_KINDS = {  # as the corpus calls them, and file names
    "telephone WAV": ("telephone", "wav"),
    "MP3": ("mp3", "mp3"),
    "telephone MP3": ("mp3 8 kHz", "mp3"),
}
TOLD = {
    "telephone WAV": "mu-law, 8 kHz",
    "MP3": "16 kHz, 32 kbit/s",
    "telephone MP3": "8 kHz, 16 kbit/s",
}


def calls(*, seconds: int = CALL_S) -> dict[str, Path]:
    """A call in each format."""
    paths = {kind: _FOLDER / f"{kind.replace(' ', '-')}-{seconds}.{end}" for kind, (_, end) in _KINDS.items()}
    if not all(path.exists() for path in paths.values()):
        _FOLDER.mkdir(parents=True, exist_ok=True)
        sound = _call(seconds)
        for kind, path in paths.items():
            path.write_bytes(through([sound], _KINDS[kind][0]))
    return paths


def hours() -> Path:
    """Three hours of MP3."""
    path = _FOLDER / "hours.mp3"
    if not path.exists():
        path.write_bytes(calls()["MP3"].read_bytes() * (HOURS * 3600 // CALL_S))
    return path


def _call(seconds: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    a, b = [talker for talker in talkers() if talker.band == "wide"][:2]
    pieces: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    for seed in count():
        if sum(map(len, pieces)) >= seconds * RATE_HZ:
            break
        made = conversation("bench", a, b, np.random.default_rng(seed), channels=1, rounds=4)
        pieces.append(made.channels[0])
    return np.concatenate(pieces)[: seconds * RATE_HZ]
