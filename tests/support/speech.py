"""Real speech for tests: who speaks, and clips of them at 16 kHz.

LibriSpeech excerpts where they lie beside the checkout; else the demo's voices, joined to utterances of that length.
"""

import contextlib
import io
import tempfile
import wave
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from config.settings import load as load_settings
from voxroll.demo.voices import cast

_SPEECH = Path(__file__).resolve().parents[2].parent / "shared" / "speech"

_SPOKEN = "librispeech-test-other"
_NAMES = ("1688", "1998", "2033", "3331")  # the demo's four wide-band voices take the names of readers
_UTTERANCE_S = 9.0
_UTTERANCES = 30

Samples = NDArray[np.float32]


@cache
def speakers(corpus: str = _SPOKEN) -> dict[str, tuple[Path, ...]]:
    """Utterances of one corpus by speaker; the calling test is skipped where the corpus is absent."""
    files = sorted((_SPEECH / corpus).glob("*.flac")) or (_stand_ins() if corpus == _SPOKEN else [])
    if not files:
        pytest.skip(f"no speech in {corpus}: put the LibriSpeech excerpts beside the checkout")
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        found[file.name.split("-")[0]].append(file)
    return {speaker: tuple(paths) for speaker, paths in found.items()}


@cache
def load(path: Path) -> Samples:
    """One file as 16 kHz mono float32 in [-1, 1]."""
    with av.open(str(path), format=path.suffix[1:] if path.suffix in {".g722", ".gsm"} else None) as container:
        resampler = av.AudioResampler("flt", "mono", 16000)
        frames = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(frames).astype(np.float32)


def has_readers() -> bool:
    """Whether LibriSpeech's excerpts lie beside the checkout."""
    return any((_SPEECH / _SPOKEN).glob("*.flac"))


def readers() -> dict[str, tuple[Path, ...]]:
    """LibriSpeech's readers and nobody else: for figures that were measured on them."""
    if not has_readers():
        pytest.skip("figures of LibriSpeech need its excerpts beside the checkout")
    return speakers()


def _stand_ins() -> list[Path]:
    """Files of the demo's voices, made once in the cache: prompts joined to utterances, named speaker-number."""
    cache = load_settings().cache_dir
    folder = cache / "voices" / "for-tests"
    if not folder.is_dir():
        found = cast(cache, say=lambda _line: None)
        if found.synthetic:
            return []
        with tempfile.TemporaryDirectory(dir=cache / "voices") as work:
            for name, voice in zip(_NAMES, found.voices, strict=False):
                for number, utterance in enumerate(_joined(voice.prompts)):
                    (Path(work) / f"{name}-{number:02}.wav").write_bytes(wav(utterance))
            with contextlib.suppress(OSError):  # another test process was faster
                Path(work).rename(folder)
                Path(work).mkdir()
    return sorted(folder.glob("*.wav"))


def _joined(prompts: Sequence[Path]) -> Iterator[Samples]:
    utterance: list[Samples] = []
    made = 0
    for prompt in prompts:
        utterance.append(load(prompt))
        if sum(map(len, utterance)) >= _UTTERANCE_S * 16000:
            yield np.concatenate(utterance)
            utterance, made = [], made + 1
            if made == _UTTERANCES:
                return


def said(speaker: str, *, seconds: float, skip: int = 0, corpus: str = _SPOKEN) -> Samples:
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
