"""Enrolls samples as the engine does, as far as the peers go: decode in a child, find speech, one vector of it.

In: a sample to warm up with. CPU seconds are those of this process and its decoder.
"""

import sys
from pathlib import Path
from typing import Any

from engine.voice.apart import Decoders
from engine.voice.samples import floats
from engine.voice.speech import speech_s, spoken
from tests.bench.preflight.serving import Steps, family_clock, serve
from tests.support.voices import voice


def main() -> None:
    """Serve."""
    models, decoders, steps = voice(), Decoders(), Steps(family_clock)

    def look(path: Path) -> dict[str, Any]:
        with steps.step("decode"):
            samples = floats(decoders.decode(path).samples)
        with steps.step("speech"):
            found = models.speech(samples)
        with steps.step("vector"):
            vector = models.embed(spoken(samples, found))
        return {"speech_s": round(speech_s(found), 2), "vector": vector.tolist()}

    with decoders:
        serve(look, steps=steps, warm_up=Path(sys.argv[1]))


if __name__ == "__main__":
    main()
