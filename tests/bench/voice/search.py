"""One voice against 100,000: the worker's gallery, exact, one thread.

In: nothing. Out: CPU milliseconds of a whole search and bytes of memory per voice. The voices are random directions
about the centre of real ones: a search costs the same whatever they are.
"""

import resource
import time
from dataclasses import dataclass
from typing import cast

import numpy as np

from engine.voice.likeness import Print
from tests.support.voices import voice
from worker.enrollment.record import SpeakerId
from worker.gallery import Entry, Gallery
from worker.seal import VoiceSeal
from worker.store.voices import VoiceStore

VOICES, QUICK_VOICES = 100_000, 10_000
_SEARCHES = 30
_SEED = 3


@dataclass(frozen=True, slots=True)
class Search:
    """What was measured; searches in full band and by telephone take turns."""

    voices: int
    cpu_ms: list[float]
    bytes_per_voice: float
    found_itself: int


def measured(voices: int) -> Search:
    """Fill a gallery and search it."""
    rng = np.random.default_rng(_SEED)
    size = voice().manifest.dimension
    before = _resident()
    nothing = cast("VoiceStore", None), voice()  # it is asked for nothing: the shelf is filled here
    gallery = Gallery(*nothing, seal=cast("VoiceSeal", None))
    shelf = gallery._shelf  # noqa: SLF001
    nobody = np.full(2, np.nan, np.float32)
    for number in range(voices):
        wide, narrow = (row / np.linalg.norm(row) for row in rng.standard_normal((2, size)).astype(np.float32))
        shelf.set(SpeakerId(f"speaker-{number}"), Entry(wide, narrow, nobody))
    after = _resident()
    spent, hits = [], 0
    for number in range(_SEARCHES):
        is_narrow = bool(number % 2)
        whose = int(rng.integers(voices))
        vector = shelf.vectors(narrow_band=is_narrow)[whose] + voice().centre(narrow_band=is_narrow)
        unheard = np.zeros((0,), np.uint32)
        probe = Print(vector, vector, is_narrow, 10.0, unheard, unheard, "")
        began = time.process_time()
        match = gallery._search(probe, SpeakerId("nobody"))  # noqa: SLF001
        spent.append(1000 * (time.process_time() - began))
        hits += match is not None and match.speaker_id == f"speaker-{whose}"
    return Search(voices, spent, (after - before) / voices, hits)


def _resident() -> int:
    """Peak resident memory in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
