"""Enrolls samples with sherpa-onnx: its extractor on our network, its Silero VAD, decoding by soundfile and soxr.

In: the network with the metadata that sherpa-onnx asks for, Silero's file, a sample to warm up with. sherpa-onnx brings
no decoder to Python; its own examples read with soundfile. One thread everywhere.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import sherpa_onnx  # type: ignore[import-not-found]  # lives in the peers' environment, as the two below
import soundfile  # type: ignore[import-not-found]
import soxr  # type: ignore[import-not-found]

from tests.bench.preflight.serving import Steps, own_clock, serve

RATE_HZ = 16000
_CHUNK = 512  # samples, as its examples hand them in; of one long piece it keeps the last speech alone


def main() -> None:
    """Serve."""
    network, silero, warm_up = sys.argv[1:]
    extractor = sherpa_onnx.SpeakerEmbeddingExtractor(
        sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=network, num_threads=1)
    )
    vad = sherpa_onnx.VadModelConfig(
        silero_vad=sherpa_onnx.SileroVadModelConfig(model=silero), sample_rate=RATE_HZ, num_threads=1
    )
    steps = Steps(own_clock)

    def look(path: Path) -> dict[str, Any]:
        with steps.step("decode"):
            sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            samples = np.ascontiguousarray(sound.mean(axis=1))
            if rate_hz != RATE_HZ:
                samples = soxr.resample(samples, rate_hz, RATE_HZ)
        with steps.step("speech"):
            finder = sherpa_onnx.VoiceActivityDetector(vad, buffer_size_in_seconds=60)
            for at in range(0, len(samples), _CHUNK):
                finder.accept_waveform(samples[at : at + _CHUNK])
            finder.flush()
            pieces = []
            while not finder.empty():
                pieces.append(np.array(finder.front.samples, np.float32))
                finder.pop()
            spoken = np.concatenate(pieces)
        with steps.step("vector"):
            stream = extractor.create_stream()
            stream.accept_waveform(RATE_HZ, spoken)
            stream.input_finished()
            vector = extractor.compute(stream)
        return {"speech_s": round(len(spoken) / RATE_HZ, 2), "vector": vector}

    serve(look, steps=steps, warm_up=Path(warm_up))


if __name__ == "__main__":
    main()
