"""The preflight without voices, from librosa's features and the Silero authors' own Python.

The same facts as ours: where somebody speaks, level, speech to noise, clipping, bandwidth, how tonal the rest is, and
the best stretch. In: a recording to warm up with.
"""

import sys
from pathlib import Path
from typing import Any

import librosa  # type: ignore[import-not-found]  # lives in the peers' environment
import numpy as np

from tests.bench.preflight.peers.hearing import RATE_HZ, Ears, best_window
from tests.bench.preflight.serving import Steps, own_clock, serve

_FRAME, _HOP = 1024, 512


def main() -> None:
    """Serve."""
    ears, steps = Ears(), Steps(own_clock)

    def look(path: Path) -> dict[str, Any]:
        with steps.step("decode"):
            samples = ears.decode(path)
        with steps.step("speech"):
            spans = ears.spans(samples)
        with steps.step("ranking"):
            best = best_window(spans, len(samples))
        with steps.step("measures"):
            rms = librosa.feature.rms(y=samples, frame_length=_FRAME, hop_length=_HOP)[0]
            size = np.abs(librosa.stft(samples, n_fft=_FRAME, hop_length=_HOP))
            flatness = librosa.feature.spectral_flatness(S=size)[0]
            rolloff = librosa.feature.spectral_rolloff(S=size, sr=RATE_HZ, roll_percent=0.99)[0]
            is_speech = np.zeros(len(rms), np.bool_)
            for start, end in spans:
                is_speech[start // _HOP : end // _HOP] = True
            signal, noise = (float(np.mean(rms[flags] ** 2)) for flags in (is_speech, ~is_speech))
            measured = {
                "level_dbfs": 10 * np.log10(signal),
                "snr_db": 10 * np.log10(max(signal - noise, 1e-10) / max(noise, 1e-10)),
                "clip_ratio": float(np.mean(np.abs(samples) >= 0.985 * np.abs(samples).max())),
                "bandwidth_hz": float(np.percentile(rolloff[is_speech], 95)),
                "tonal": float(np.mean(flatness[~is_speech] < 0.01)),
            }
        speech_s = sum(end - start for start, end in spans) / RATE_HZ
        told = {name: round(float(value), 4) for name, value in measured.items()}
        return {"seconds": len(samples) / RATE_HZ, "speech_s": round(speech_s, 1), "best": best, "measures": told}

    serve(look, steps=steps, warm_up=Path(sys.argv[1]))


if __name__ == "__main__":
    main()
