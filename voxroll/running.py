"""How commands in another shell find what `voxroll up` started, and speak with its settings.

Values that the user set by environment variable always win over those of the running `up`.
"""

import os
from pathlib import Path

from pydantic import ValidationError

from config.settings import Settings
from voxroll.up import lock, note
from voxroll.up.note import Running
from voxroll.up.secrets import Secrets, environment


def find(data_dir: Path) -> Running | None:
    """The running `up` of this data directory; a note left by one that was killed counts as none."""
    left = note.read(data_dir)
    return left if left is not None and _lives(left.pid) and lock.is_held(data_dir) else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def front_door(settings: Settings) -> str:
    """Base URL of the front door that commands talk to."""
    if settings.url:
        return settings.url
    running = find(settings.data_dir)
    return running.url if running else f"http://{settings.webhook.host}:{settings.webhook.port}"


def adopt(settings: Settings) -> frozenset[str]:
    """Give this process the environment that `up` gave its own, where the user set nothing else.

    Returns the names of the variables that came that way; empty when no `up` runs. Settings loaded from then on are
    those of the running processes.
    """
    running = find(settings.data_dir)
    if running is None:
        return frozenset()
    try:
        secrets = Secrets.read(settings.data_dir)
    except (OSError, ValidationError):
        return frozenset()
    made = environment(secrets, settings, running)
    taken = {name: value for name, value in made.items() if not os.environ.get(name)}
    os.environ.update(taken)
    return frozenset(taken)
