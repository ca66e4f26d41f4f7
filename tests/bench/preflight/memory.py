"""A fresh process that preflights one recording, and the most memory that it and its decoder held.

In: the recording, and how many seconds of it are searched. Out: one JSON object. The peaks are read from /proc: what
`getrusage` tells of a child begins with what its parent held when it started it.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.voice import preflight
from engine.voice.apart import Decoders
from engine.voice.recording import Recording
from tests.bench.preflight.serving import children
from tests.support.voices import voice


@dataclass(frozen=True, slots=True)
class Peak:
    """What was searched, and the peaks in MB: of the process before it began, in the end, and of its decoder."""

    searched_s: float
    loaded_mb: float
    process_mb: float
    decoder_mb: float


def measure(path: Path, *, limit_s: float) -> Peak:
    """Preflight a recording once."""
    models = voice()
    loaded_mb = _peak_mb("self")
    with Decoders() as decoders:

        def read(channel: int | None) -> Recording:
            return decoders.decode(path, channel=channel, limit_s=limit_s)

        found = preflight.mine(models, read, preflight.Rules(), preflight.Search())
        decoder_mb = max(_peak_mb(str(child)) for child in children())
    return Peak(found.duration_s, loaded_mb, _peak_mb("self"), decoder_mb)


def _peak_mb(process: str) -> float:
    lines = (Path("/proc") / process / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    json.dump(asdict(measure(Path(sys.argv[1]), limit_s=float(sys.argv[2]))), sys.stdout)
