"""Real speech for tests: who speaks, and clips of them at 16 kHz."""

import io
import wave
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

_SPEECH = Path(__file__).resolve().parents[2].parent / "shared" / "speech"

Samples = NDArray[np.float32]


@cache
def speakers(corpus: str = "librispeech-test-other") -> dict[str, tuple[Path, ...]]:
    """Utterances of one corpus by speaker; the calling test is skipped where the corpus is absent."""
    files = sorted((_SPEECH / corpus).glob("*.flac"))
    if not files:
        pytest.skip(f"no speech in {corpus}: put the LibriSpeech excerpts beside the checkout")
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        found[file.name.split("-")[0]].append(file)
    return {speaker: tuple(paths) for speaker, paths in found.items()}


@cache
def load(path: Path) -> Samples:
    """One file as 16 kHz mono float32 in [-1, 1]."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 16000)
        frames = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(frames).astype(np.float32)


def said(speaker: str, *, seconds: float, skip: int = 0, corpus: str = "librispeech-test-other") -> Samples:
    """`seconds` of one speaker's speech, utterance after utterance from number `skip` on."""
    pieces: list[Samples] = []
    for path in speakers(corpus)[speaker][skip:]:
        pieces.append(load(path))
        if sum(map(len, pieces)) >= seconds * 16000:
            return np.concatenate(pieces)[: round(seconds * 16000)]
    pytest.fail(f"speaker {speaker} has less than {seconds} s from utterance {skip} on")


def wav(samples: Samples | Sequence[Samples], *, rate_hz: int = 16000) -> bytes:
    """PCM 16-bit WAV; several arrays become channels."""
    channels = [samples] if isinstance(samples, np.ndarray) else list(samples)
    data = (np.clip(np.stack(channels, axis=1), -1, 1) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(data.tobytes())
    return buffer.getvalue()
