"""The life of a measured process, ours or a peer's: it loads, warms up, then looks at one recording per request.

In: paths as lines on standard input. Out: one JSON object per line: CPU seconds by step, and what was found. CPU
seconds are exclusive: what an inner step takes is not counted for the outer one. Standard library alone, since it runs
in the peers' environment too.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

REST = "the rest"


class Steps:
    """CPU seconds by step."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._under_way = [REST]
        self.start()

    def start(self) -> None:
        """Forget what was counted."""
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._since = self._clock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count for this step what is done within."""
        self._count()
        self._under_way.append(name)
        try:
            yield
        finally:
            self._count()
            self._under_way.pop()

    def stop(self) -> dict[str, float]:
        """What was spent since the start."""
        self._count()
        return dict(self.spent)

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Count all calls of a function of a module or class; one that isn't there is an AttributeError."""
        inner = getattr(owner, function)

        @wraps(inner)
        def counted(*given: Any, **named: Any) -> Any:
            with self.step(name):
                return inner(*given, **named)

        setattr(owner, function, counted)

    def _count(self) -> None:
        now = self._clock()
        self.spent[self._under_way[-1]] += now - self._since
        self._since = now


def serve(look: Callable[[Path], dict[str, Any]], *, steps: Steps, warm_up: Path) -> None:
    """Answer until standard input ends; the first line out says that the process is ready."""
    look(warm_up)
    _say({"ready": True})
    for line in sys.stdin:
        steps.start()
        found = look(Path(line.rstrip("\n")))
        _say({"steps": steps.stop(), "found": found})


def own_clock() -> float:
    """CPU seconds of this process, all its threads."""
    return time.process_time()


def family_clock() -> float:
    """CPU seconds of this process and its children."""
    return own_clock() + sum(map(_of_child, children()))


def children() -> list[int]:
    """The processes that this one has started and that live."""
    return [int(one) for path in Path("/proc/self/task").glob("*/children") for one in path.read_text().split()]


def _of_child(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)  # the kernel's number for another process's CPU clock


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
