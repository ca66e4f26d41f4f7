"""Who of several people talks when: PyanNet (segmentation-3.0) on onnxruntime.

In: 16 kHz mono samples. Out: per frame of 16.9 ms the log-probability of nobody, of one of three speakers, and of two
of them at once (Plaquet and Bredin, Interspeech 2023), and from it turns. The net was trained on 10 s, so longer sound
goes through in chunks of 10 s, each with its own numbering of speakers; `turns` puts them together.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ, Samples, floats
from engine.voice.speech import session
from engine.voice.turns import FIELD, STEP, Activity, Turns, stitched

CHUNK_S = 10.0
HOP_S = 5.0  # so every time but the ends is heard twice, once with 2.5 s or more on both sides
_CHUNK = round(CHUNK_S * RATE_HZ)
_LANES = 2  # chunks side by side: 10 % faster than one on one core; more take 15 MB each and win nothing
_CLASSES = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], np.bool_)


class Segmenter:
    """The loaded network; one call computes on one thread, several may run at once."""

    def __init__(self, model: Path | bytes) -> None:
        self._session = session(model)

    def frames(self, samples: Samples, *, hop_s: float = HOP_S) -> NDArray[np.float32]:
        """Log-probabilities of the seven classes, (chunks, frames, 7); `chunks` tells where each chunk lies.

        Sound shorter than 10 s is one chunk, filled up with silence as the authors do, of as many frames as the sound
        has; shorter than 62 ms it is none.
        """
        if len(samples) < FIELD:
            return np.zeros((0, 0, len(_CLASSES)), np.float32)
        whole = np.pad(samples, (0, _CHUNK - len(samples))) if len(samples) < _CHUNK else samples
        places = np.lib.stride_tricks.sliding_window_view(whole, _CHUNK)
        starts = chunks(len(samples), hop_s=hop_s) * STEP
        found: NDArray[np.float32] | None = None
        for at in range(0, len(starts), _LANES):
            given = floats(places[starts[at : at + _LANES]][:, None])
            (here,) = self._session.run(None, {"wav": given})
            if found is None:  # kept one by one, results would lie between the net's buffers: 1 GB over three hours
                found = np.zeros((len(starts), *here.shape[1:]), np.float32)
            found[at : at + len(here)] = here
        if found is None:
            raise AssertionError("there is a chunk")
        return found[:, : (len(samples) - FIELD) // STEP + 1]

    def turns(self, samples: Samples) -> Turns:
        """Who talks alone when, and when two talk at once."""
        return stitched(activity(self.frames(samples)), chunks(len(samples)))


def chunks(count: int, *, hop_s: float = HOP_S) -> NDArray[np.int64]:
    """Numbers of the first frame of each chunk of so many samples, (chunks,), spread evenly from beginning to end.

    All chunks share one grid of frames, so they lie up to the hop, rounded up to whole frames, apart.
    """
    if count < FIELD:
        return np.zeros(0, np.int64)
    last = max(0, count - _CHUNK) // STEP
    hops = -(-last // math.ceil(hop_s * RATE_HZ / STEP))
    return np.rint(np.linspace(0, last, hops + 1)).astype(np.int64)


def activity(logp: NDArray[np.float32]) -> Activity:
    """Which of three local speakers are active in the most probable class; (..., 7) to (..., 3)."""
    found: Activity = _CLASSES[logp.argmax(axis=-1)]
    return found
