"""Named points of the line where a fault test may end the process or hold it; in production each is one comparison.

`VOXROLL_POINTS` names a folder. A file in it arms the point of its name: whoever passes it next takes the file away,
so each acts once, in one process. `kill` in the file ends that process as a crash would (SIGKILL). `hold` freezes it
until the file NAME.held, which says where it is held, is removed; so a test can kill another process at just this
moment. Points can be armed while the processes run. They are named `room.moment`; `grep -r "point("` lists them.
"""

import os
import signal
import time
from pathlib import Path

_LOOK_S = 0.005
_FOLDER = os.environ.get("VOXROLL_POINTS", "")


def point(name: str) -> None:
    """Pass a named point. Blocks the whole process where a test holds it: that is what a frozen process does."""
    if _FOLDER:
        _pass(Path(_FOLDER), name)


def _pass(folder: Path, name: str) -> None:
    taken = folder / f"{name}.{os.getpid()}"
    try:
        (folder / name).rename(taken)
    except FileNotFoundError:
        return
    if taken.read_text() == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    held = taken.rename(folder / f"{name}.held")
    while held.exists():
        time.sleep(_LOOK_S)
