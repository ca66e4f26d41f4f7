"""One supervisor per data directory: a lock on `up.lock` that the kernel lets go of however its holder ends."""

import fcntl
import os
from pathlib import Path
from typing import IO

from voxroll.failure import CommandError

_NAME = "up.lock"


def take(data_dir: Path) -> IO[bytes] | None:
    """Take the lock of a data directory, which is made where it is missing; None where another process has it.

    The lock is let go when the returned file is closed.

    Raises:
        CommandError: `data_dir_unusable`.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
        held = os.fdopen(os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    except OSError as error:
        message = f"{data_dir}: {error.strerror}; VOXROLL_DATA_DIR names another folder"
        raise CommandError("data_dir_unusable", message) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        return None
    return held


def is_held(data_dir: Path) -> bool:
    """Whether a supervisor has the lock now."""
    try:
        with (data_dir / _NAME).open("rb") as tried:
            fcntl.flock(tried, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
