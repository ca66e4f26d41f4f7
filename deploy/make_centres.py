"""Computes the two centres of the CAM++ model and writes `engine/voice/centres.json`.

    python deploy/make_centres.py FOLDER "What the speech is, and its licence"

FOLDER holds speech of many people, one file each (here: 251 speakers of LibriSpeech train-clean-100). A centre is the
mean of their unit vectors: once as recorded, once through the telephone's band. After a change raise
`engine.voice.manifest.FORMAT`, so that cached models are made anew.
"""

import json
import sys
from pathlib import Path

import numpy as np

from config import settings
from engine.voice import model, published, recording, speech
from engine.voice.voice import Voice
from engine.voice.voiceprint import unit


def main(folder: str, source: str) -> None:
    """Compute and write."""
    voice = Voice.load(model.ensure(settings.load().cache_dir))
    wide, narrow = [], []
    for path in sorted(file for file in Path(folder).iterdir() if file.is_file()):
        samples = recording.decode(path).samples
        spoken = speech.spoken(samples, voice.speech(samples))
        wide.append(unit(voice.embed(spoken)))
        narrow.append(unit(voice.embed(recording.narrowed(spoken))))
        sys.stderr.write(f"\r{len(wide)} files")
    centres = {"wide": np.mean(wide, axis=0), "narrow": np.mean(narrow, axis=0)}
    values = {name: [round(float(value), 5) for value in vector] for name, vector in centres.items()}
    published.CENTRES.write_text(
        json.dumps({"source": f"{source}, {len(wide)} files", **values}) + "\n", encoding="utf-8"
    )
    norms = ", ".join(f"{name} {np.linalg.norm(vector):.2f}" for name, vector in centres.items())
    sys.stderr.write(f"\nlength of the centres: {norms}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
