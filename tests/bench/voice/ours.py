"""Enrolls samples as the engine does, as far as the peers go: decode, find speech, one vector of it.

In: a sample to warm up with.
"""

import sys
from pathlib import Path
from typing import Any

from engine.voice.recording import decode
from engine.voice.samples import floats
from engine.voice.speech import speech_s, spoken
from tests.bench.preflight.serving import Steps, own_clock, serve
from tests.support.voices import voice


def main() -> None:
    """Serve."""
    models, steps = voice(), Steps(own_clock)

    def look(path: Path) -> dict[str, Any]:
        with steps.step("decode"):
            samples = floats(decode(path.read_bytes()).samples)
        with steps.step("speech"):
            found = models.speech(samples)
        with steps.step("vector"):
            vector = models.embed(spoken(samples, found))
        return {"speech_s": round(speech_s(found), 2), "vector": vector.tolist()}

    serve(look, steps=steps, warm_up=Path(sys.argv[1]))


if __name__ == "__main__":
    main()
