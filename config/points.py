"""Named points of the line where a fault test may end the process or hold it; in production each is one dict lookup.

`VOXROLL_POINTS=submit.called=kill,callback.written=hold:/tmp/x` arms points by name. `kill` ends the process as a
crash would (SIGKILL); `hold` makes the file and waits until somebody has removed it, so that a test can kill another
process at just this moment; `kill@3` acts when the point is passed for the third time. Each acts once.
"""

import os
import signal
import time
from pathlib import Path

_LOOK_S = 0.005


def _armed(text: str) -> dict[str, tuple[str, int]]:
    """What to do at which point, and how often it is passed before that."""
    found = {}
    for part in filter(None, text.split(",")):
        name, _, how = part.partition("=")
        action, _, times = how.partition("@")
        found[name] = (action, int(times or 1))
    return found


_ARMED = _armed(os.environ.get("VOXROLL_POINTS", ""))


def point(name: str) -> None:
    """Pass a named point. Blocks the whole process where a test holds it: that is what a frozen process does."""
    if not _ARMED:
        return
    action, times = _ARMED.get(name, ("", 0))
    if times > 1:
        _ARMED[name] = (action, times - 1)
    elif times == 1:
        del _ARMED[name]
        _act(action)


def _act(action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    kind, _, path = action.partition(":")
    if kind == "hold":
        Path(path).touch()
        while Path(path).exists():
            time.sleep(_LOOK_S)
