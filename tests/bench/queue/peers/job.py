"""The two jobs that every system runs, how their ends are counted, and the command line that all peers share.

A process counts in 24 bytes of shared memory (a mapped file of its own in $BENCH_TALLY): jobs done, first start, last
end on the clock that all processes share. That costs under a microsecond per job, the same for every system, and no
command to Redis. Standard library only: this file is imported under each peer's own virtual environment.
"""

import asyncio
import mmap
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

IO_S = 0.05
SHAPE = struct.Struct("<qdd")

_lock = threading.Lock()
_count = 0
_first = 0.0
_memory: mmap.mmap | None = None


def start() -> None:
    """Note the first start of this process; made lazily, since some systems fork."""
    global _memory, _first  # noqa: PLW0603  # one tally per process is the point
    if _memory is None:
        with _lock:
            if _memory is None:
                _first = time.monotonic()
                with (Path(os.environ["BENCH_TALLY"]) / str(os.getpid())).open("w+b") as file:
                    file.truncate(SHAPE.size)
                    _memory = mmap.mmap(file.fileno(), SHAPE.size)


def end() -> None:
    """Count one job that is done."""
    global _count  # noqa: PLW0603  # one tally per process is the point
    assert _memory is not None
    with _lock:
        _count += 1
        SHAPE.pack_into(_memory, 0, _count, _first, time.monotonic())


async def noop(*_: object) -> None:
    """Do nothing."""
    start()
    end()


async def io(*_: object) -> None:
    """Wait, as for an answer over the network."""
    start()
    await asyncio.sleep(IO_S)
    end()


def noop_sync() -> None:
    """Do nothing, in a thread."""
    start()
    end()


def io_sync() -> None:
    """Wait in a thread."""
    start()
    time.sleep(IO_S)
    end()


def command(*, put: Callable[[str, str, int], float], work: Callable[[str, int], None]) -> None:
    """Run `put URL noop|io COUNT`, which prints the seconds that enqueueing took, or `work URL SLOTS`."""
    match sys.argv[1:]:
        case ["put", url, kind, count]:
            print(put(url, kind, int(count)))  # noqa: T201  # the answer to the runner
        case ["work", url, slots]:
            work(url, int(slots))
        case other:
            raise SystemExit(f"put URL noop|io COUNT, or work URL SLOTS; got {other}")
