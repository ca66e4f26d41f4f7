"""Our preflight as the workshop runs it: `preflight.mine` over a decoder in a child of its own.

Time goes to steps by wrapping the functions that `mine` calls, by name: a step that is renamed ends the bench, one that
is added shows up in the rest. In: a recording to warm up with. CPU seconds are those of this process and its decoder.
"""

import sys
from pathlib import Path
from typing import Any

from engine.voice import measures, mining, preflight
from engine.voice.apart import Decoders
from engine.voice.hearing import Hearing
from engine.voice.recording import Recording
from engine.voice.voice import Voice
from tests.bench.preflight.serving import Steps, family_clock, serve
from tests.support.voices import voice

_WATCHED = (
    (Voice, "probabilities", "speech"),
    (preflight, "scan", "music and tones"),
    (preflight, "split", "legs"),
    (preflight, "_chosen", "legs"),
    (mining, "scan", "music and tones"),
    (mining, "_best", "ranking"),
    (measures, "sound", "measures"),
    (mining, "talkers", "who speaks"),
    (mining, "others", "who speaks"),
    (Hearing, "look", "look"),
    (Hearing, "raw", "windows"),
    (Voice, "turns", "turns"),
    (measures, "consistency", "consistency"),
)


def main() -> None:
    """Serve."""
    models, decoders = voice(), Decoders()
    steps = Steps(family_clock)
    for owner, function, name in _WATCHED:
        steps.watch(owner, function, name)

    def look(path: Path) -> dict[str, Any]:
        def read(channel: int | None) -> Recording:
            with steps.step("decode"):
                return decoders.decode(path, channel=channel)

        found = preflight.mine(models, read, preflight.Rules(), preflight.Search())
        return told(found)

    with decoders:
        serve(look, steps=steps, warm_up=Path(sys.argv[1]))


def told(found: preflight.Found) -> dict[str, Any]:
    """What was found, in short."""
    best = found.windows[0] if found.windows else None
    return {
        "seconds": found.duration_s,
        "speech_s": round(sum(span.duration_s for span in found.leg.spans()), 1),
        "people": found.people,
        "best": [best.start_s, best.end_s] if best else None,
        "measures": best.measures.told() if best else None,
    }


if __name__ == "__main__":
    main()
