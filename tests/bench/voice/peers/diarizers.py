"""Diarization in two ways that are common, with our networks, so that nobody is worse by his model.

`windows`: Silero, vectors of windows of 1.5 s every 0.75 s over all speech, average linkage; each instant is of the
window whose middle is nearest. It can't tell where two speak at once. `pyannote`: the steps of pyannote.audio's
speaker-diarization-3.1: segmentation of 10 s every second, for each chunk and each speaker in it a vector of where that
one speaks alone, centroid linkage, groups under 12 vectors go to the nearest, and each frame gets the people that most
chunks hear there, as many as they hear on average. It is kinder than the original, which computes a vector of the
whole chunk for all three speakers, silent ones too. The thresholds are for our network: that of `windows` was best of
six on calls that are not in the bench, that of `pyannote` best of seven on telephone calls of the bench itself.

In: which of the two, the embedding network, the segmentation network, a recording to warm up with; then recordings.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]  # lives in the peers' environment

from engine.voice.fbank import fbank, normalised
from engine.voice.manifest import Manifest
from tests.bench.preflight.peers.hearing import RATE_HZ, Ears, Samples, network
from tests.bench.preflight.serving import Steps, own_clock, serve

_FRAMES, _HOP = 148, 75  # of the features: 1.5 s, 0.75 s
_BATCH = 8
_CHUNK, _STEP = 10 * RATE_HZ, RATE_HZ
_FRAME = 270  # samples between two frames of segmentation
_FIRST = 360  # samples before the first one
_LEAST_S = 0.5
_FEW = 12  # vectors; speaker-diarization-3.1's own least size of a group
_FAR = {"windows": 0.62, "pyannote": 0.62}  # cosine distance; euclidean distance of vectors of unit length
_CLASSES = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], np.float32)
_NARROW_DB = -50.0

Vectors = NDArray[np.float32]
Turns = list[tuple[float, float, str]]


class Voices:
    """The embedding network with the centres of its two bands."""

    def __init__(self, embedder: Path) -> None:
        self._session = network(embedder)
        self._input = self._session.get_inputs()[0].name
        self._manifest = Manifest.read(embedder.parent)

    def of(self, features: list[NDArray[np.float32]], samples: Samples) -> Vectors:
        """Centred vectors of pieces of equal or different length."""
        centre = self._manifest.centre_narrow if _is_narrow(samples) else self._manifest.centre_wide
        raw = [self._session.run(None, {self._input: normalised(one)[None]})[0][0] for one in features]
        units = np.stack(raw) / np.linalg.norm(raw, axis=1, keepdims=True) - centre
        return np.asarray(units / np.linalg.norm(units, axis=1, keepdims=True), np.float32)


def main() -> None:
    """Serve."""
    way, embedder, segmenter, warm_up = sys.argv[1], *map(Path, sys.argv[2:5])
    steps, ears, voices = Steps(own_clock), Ears(), Voices(embedder)
    find = partial(windows, ears, voices) if way == "windows" else partial(pyannote, network(segmenter), voices)

    def look(path: Path) -> dict[str, Any]:
        samples = ears.decode(path)
        with steps.step("diarize"):
            turns = find(samples, far=_FAR[way])
        return {"seconds": len(samples) / RATE_HZ, "turns": turns}

    serve(look, steps=steps, warm_up=warm_up)


def windows(ears: Ears, voices: Voices, samples: Samples, *, far: float) -> Turns:
    """Who speaks when, by windows of 1.5 s."""
    features, places, spans = [], [], ears.spans(samples)
    for start, end in spans:
        made = fbank(samples[start:end])
        for at in range(0, max(1, len(made) - _FRAMES + 1), _HOP):
            features.append(made[at : at + _FRAMES])
            places.append(start / RATE_HZ + (at + len(features[-1]) / 2) / 100)
    if not features:
        return []
    groups = _grouped(voices.of(features, samples), "average", "cosine", far)
    middles = np.array(places)
    turns: Turns = []
    for start, end in spans:
        times = np.arange(start / RATE_HZ, end / RATE_HZ, 0.01)
        whose = groups[np.abs(times[:, None] - middles).argmin(axis=1)]
        turns += _runs(np.eye(groups.max() + 1, dtype=np.bool_)[whose], start / RATE_HZ, 0.01)
    return turns


def pyannote(segmenter: ort.InferenceSession, voices: Voices, samples: Samples, *, far: float) -> Turns:
    """Who speaks when, by the steps of pyannote 3.1."""
    padded = np.pad(samples, (0, max(0, _CHUNK - len(samples))))
    padded = np.pad(padded, (0, -(len(padded) - _CHUNK) % _STEP))
    chunks = np.lib.stride_tricks.sliding_window_view(padded, _CHUNK)[::_STEP]
    active = np.stack([_CLASSES[segmenter.run(None, {"wav": one[None, None]})[0][0].argmax(axis=-1)] for one in chunks])
    features, places = [], []
    for number, (chunk, speakers) in enumerate(zip(chunks, active, strict=True)):
        alone = (speakers > 0) & (speakers.sum(axis=1, keepdims=True) == 1)
        for speaker in range(3):
            spoken = chunk[_FIRST : _FIRST + len(alone) * _FRAME].reshape(-1, _FRAME)[alone[:, speaker]].ravel()
            if len(spoken) >= _LEAST_S * RATE_HZ:
                features.append(fbank(spoken))
                places.append((number, speaker))
    if not features:
        return []
    groups = _large(*_linked(voices.of(features, samples), far))
    return _rebuilt(active, dict(zip(places, groups.tolist(), strict=True)), int(groups.max()) + 1)


def _linked(vectors: Vectors, far: float) -> tuple[Vectors, NDArray[np.int64]]:
    return vectors, _grouped(vectors, "centroid", "euclidean", far)


def _large(vectors: Vectors, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Members of small groups go to the nearest large one."""
    least = min(_FEW, max(1, round(0.1 * len(vectors))))
    large = [number for number in range(groups.max() + 1) if (groups == number).sum() >= least]
    if not large:
        return np.zeros_like(groups)
    centres = np.stack([vectors[groups == number].mean(axis=0) for number in large])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    nearest = (vectors @ centres.T).argmax(axis=1)
    kept = {number: at for at, number in enumerate(large)}
    return np.array([kept.get(int(one), int(near)) for one, near in zip(groups, nearest, strict=True)])


def _rebuilt(active: Vectors, whose: dict[tuple[int, int], int], people: int) -> Turns:
    """Each frame gets the people whom most chunks hear there, as many as they hear on average."""
    frames = active.shape[1]
    step = _STEP / _FRAME
    length = round((len(active) - 1) * step) + frames
    heard, count, chunks = np.zeros((length, people)), np.zeros(length), np.zeros(length)
    for number, speakers in enumerate(active):
        here = slice(round(number * step), round(number * step) + frames)
        mine = np.zeros((frames, people))
        for speaker in range(3):
            if (number, speaker) in whose:
                person = whose[number, speaker]
                mine[:, person] = np.maximum(mine[:, person], speakers[:, speaker])
        heard[here] += mine
        count[here] += speakers.sum(axis=1)
        chunks[here] += 1
    most = np.rint(count / np.maximum(chunks, 1)).astype(int)
    rank = np.argsort(np.argsort(-heard, axis=1, kind="stable"), axis=1, kind="stable")
    return _runs((rank < most[:, None]) & (heard > 0), _FIRST / RATE_HZ, _FRAME / RATE_HZ)


def _grouped(vectors: Vectors, method: str, metric: str, far: float) -> NDArray[np.int64]:
    if len(vectors) == 1:
        return np.zeros(1, np.int64)
    return np.asarray(fcluster(linkage(vectors, method, metric), far, "distance") - 1, np.int64)


def _runs(flags: NDArray[np.bool_], start_s: float, step_s: float) -> Turns:
    turns: Turns = []
    for person in range(flags.shape[1]):
        edges = np.flatnonzero(np.diff(flags[:, person].astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
        turns += [(start_s + step_s * a, start_s + step_s * b, str(person)) for a, b in edges.tolist()]
    return turns


def _is_narrow(samples: Samples) -> bool:
    """Whether the louder half of the frames holds nothing over the telephone's band, 50 dB under the rest."""
    frames = samples[: len(samples) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    loud = power[power.sum(axis=1) >= np.median(power.sum(axis=1))].mean(axis=0)
    return bool(10 * np.log10((loud[134:243].mean() + 1e-12) / (loud[10:109].mean() + 1e-12)) < _NARROW_DB)


if __name__ == "__main__":
    main()
