"""Computes the three centres of the CAM++ model and writes `engine/voice/centres.json`.

    python deploy/make_centres.py FOLDER "What the speech is, and its licence"

FOLDER holds speech of many people, one file each (here: 251 speakers of LibriSpeech train-clean-100). A centre is the
mean of their unit vectors: as recorded, through the telephone's band, and through a telephone line, which takes what is
under 300 Hz too. After a change raise
`engine.voice.manifest.FORMAT`, so that cached models are made anew.
"""

import io
import json
import sys
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from config import settings
from engine.voice import model, published, recording, speech
from engine.voice.samples import RATE_HZ, floats
from engine.voice.voice import Voice
from engine.voice.voiceprint import unit


def main(folder: str, source: str) -> None:
    """Compute and write."""
    voice = Voice.load(model.ensure(settings.load().cache_dir))
    wide, narrow, line = [], [], []
    for path in sorted(file for file in Path(folder).iterdir() if file.is_file()):
        samples = recording.decode(path).samples
        spoken = speech.spoken(samples, voice.speech(samples))
        wide.append(unit(voice.embed(spoken)))
        narrow.append(unit(voice.embed(recording.narrowed(spoken))))
        line.append(unit(voice.embed(through_a_line(spoken))))
        sys.stderr.write(f"\r{len(wide)} files")
    centres = {"wide": np.mean(wide, axis=0), "narrow": np.mean(narrow, axis=0), "line": np.mean(line, axis=0)}
    values = {name: [round(float(value), 5) for value in vector] for name, vector in centres.items()}
    published.CENTRES.write_text(
        json.dumps({"source": f"{source}, {len(wide)} files", **values}) + "\n", encoding="utf-8"
    )
    norms = ", ".join(f"{name} {np.linalg.norm(vector):.2f}" for name, vector in centres.items())
    sys.stderr.write(f"\nlength of the centres: {norms}\n")


def through_a_line(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """300 to 3400 Hz (ITU-T G.712) with edges of 60 Hz, and mu-law (ITU-T G.711), 16 kHz in and out."""
    spectrum, hz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    gain = np.clip((hz - 300) / 60 + 1, 0, 1) * np.clip((3400 - hz) / 60 + 1, 0, 1)
    passed = np.asarray(np.fft.irfft(spectrum * gain, len(samples)), np.float32)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="wav") as out:
        stream = out.add_stream("pcm_mulaw", rate=RATE_HZ // 2)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(passed[None], format="flt", layout="mono")
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler("s16", "mono", RATE_HZ // 2)
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return floats(recording.decode(buffer.getvalue()).samples)


if __name__ == "__main__":
    main(*sys.argv[1:])
