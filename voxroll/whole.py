"""Files that are there whole or not at all, also after a crash; their owner alone may read them: they tell of people.

Who changes a file that others may change as well is `alone` with its folder from reading it to writing it.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from config.points import point


@contextmanager
def written(path: Path, *, mode: str = "w") -> Iterator[IO[Any]]:
    """A file that takes the place of another once the block has ended well; mode as of `open`, text is UTF-8.

    Raises:
        OSError: it can't be written.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".voxroll-")
    try:
        with os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        point("whole.written")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process that asks for it is alone with this folder meanwhile; the kernel lets go when one is killed.

    Raises:
        OSError: the folder can't be opened, or knows no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
