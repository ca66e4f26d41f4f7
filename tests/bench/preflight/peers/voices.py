"""Who speaks, in two ways that are common, with our networks, so that nobody is slower by his model.

`sliding`: vectors of windows of 1.5 s every 0.75 s over all speech, then average linkage. It can't tell where two speak
at once. `pyannote`: the steps of pyannote.audio's speaker-diarization-3.1: segmentation of 10 s every second, for each
chunk and each speaker in it a vector of where that one speaks alone, then linkage. It is kinder than the original,
which computes a vector of the whole chunk for all three speakers, silent ones too.

In: which of the two, the embedding network, the segmentation network, a recording to warm up with. The front end is
ours (`engine.voice.fbank`).
"""

import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]  # lives in the peers' environment

from engine.voice.fbank import fbank, normalised
from tests.bench.preflight.peers.hearing import RATE_HZ, Ears, Samples, network
from tests.bench.preflight.serving import Steps, own_clock, serve

_WINDOW_S, _HOP_S = 1.5, 0.75
_FRAMES, _FRAME_HOP = 148, 75  # of the features: 1.5 s, 0.75 s
_BATCH = 8
_CHUNK, _STEP = 10 * RATE_HZ, RATE_HZ
_SEGMENT_STEP = 270  # samples between two frames of segmentation
_CHUNK_BATCH = 2
_LEAST_S = 0.5
_FAR = 0.72  # cosine distance from which two groups are two people
_CLASSES = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], np.bool_)

Vectors = NDArray[np.float32]


def main() -> None:
    """Serve."""
    way, embedder, segmenter, warm_up = sys.argv[1], *map(Path, sys.argv[2:])
    steps, ears = Steps(own_clock), Ears()
    embed = partial(_vectors, network(embedder))
    find = partial(_sliding, ears, embed) if way == "sliding" else partial(_pyannote, network(segmenter), embed)

    def look(path: Path) -> dict[str, Any]:
        with steps.step("decode"):
            samples = ears.decode(path)
        people, stretch_s = find(samples, steps)
        return {"seconds": len(samples) / RATE_HZ, "people": people, "longest_alone_s": round(stretch_s, 1)}

    serve(look, steps=steps, warm_up=warm_up)


def _sliding(ears: Ears, embed: Callable[[Vectors], Vectors], samples: Samples, steps: Steps) -> tuple[int, float]:
    with steps.step("speech"):
        spans = ears.spans(samples)
    with steps.step("voices"):
        windows, starts = [], []
        for start, end in spans:
            features = fbank(samples[start:end])
            for at in range(0, len(features) - _FRAMES + 1, _FRAME_HOP):
                windows.append(features[at : at + _FRAMES])
                starts.append(start / RATE_HZ + at / 100)
        vectors = [embed(np.stack(windows[at : at + _BATCH])) for at in range(0, len(windows), _BATCH)]
        groups = _groups(np.concatenate(vectors))
        edges = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(groups)]
        longest_s = max(starts[last - 1] - starts[first] + _WINDOW_S for first, last in pairwise(edges))
    return len(set(groups.tolist())), longest_s


def _pyannote(
    segmenter: ort.InferenceSession, embed: Callable[[Vectors], Vectors], samples: Samples, steps: Steps
) -> tuple[int, float]:
    with steps.step("who speaks"):
        chunks = np.lib.stride_tricks.sliding_window_view(samples, _CHUNK)[::_STEP]
        active = np.concatenate(
            [
                _CLASSES[segmenter.run(None, {"wav": chunks[at : at + _CHUNK_BATCH][:, None]})[0].argmax(axis=-1)]
                for at in range(0, len(chunks), _CHUNK_BATCH)
            ]
        )
    with steps.step("voices"):
        vectors, longest_s = [], 0.0
        for chunk, speakers in zip(chunks, active, strict=True):
            alone = speakers & (speakers.sum(axis=1, keepdims=True) == 1)
            for speaker in range(alone.shape[1]):
                spoken = chunk[: len(alone) * _SEGMENT_STEP].reshape(-1, _SEGMENT_STEP)[alone[:, speaker]].ravel()
                if len(spoken) >= _LEAST_S * RATE_HZ:
                    vectors.append(embed(fbank(spoken)[None]))
                    longest_s = max(longest_s, len(spoken) / RATE_HZ)
        groups = _groups(np.concatenate(vectors))
    return len(set(groups.tolist())), longest_s


def _vectors(embedder: ort.InferenceSession, features: Vectors) -> Vectors:
    vectors: Vectors = embedder.run(None, {embedder.get_inputs()[0].name: normalised(features)})[0]
    return vectors


def _groups(vectors: Vectors) -> NDArray[np.int32]:
    centred = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = centred - centred.mean(axis=0)
    return np.asarray(fcluster(linkage(centred, "average", "cosine"), _FAR, "distance"), np.int32)


if __name__ == "__main__":
    main()
