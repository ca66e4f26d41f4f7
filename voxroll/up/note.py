"""`up.json`: what a running `voxroll up` tells other shells, and the next `up`.

Written into the data directory (mode 0600) once everything is ready, removed at the end; one that stays behind says
that its supervisor was killed.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

_NAME = "up.json"


class Running(BaseModel):
    """One running `voxroll up`."""

    model_config = ConfigDict(frozen=True)

    pid: int
    url: str
    engine_url: str
    redis_url: str
    own_engine: bool = True  # off: engine_url is the API of another, named by VOXROLL_API_BASE_URL


def write(data_dir: Path, running: Running) -> None:
    """Leave the note; readable by the owner alone, and never half written."""
    temporary = data_dir / f".{_NAME}.new"
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(running.model_dump_json(indent=2) + "\n")
    temporary.replace(data_dir / _NAME)


def remove(data_dir: Path) -> None:
    """Take the note away."""
    (data_dir / _NAME).unlink(missing_ok=True)


def read(data_dir: Path) -> Running | None:
    """The note, whether or not its writer still lives."""
    try:
        return Running.model_validate_json((data_dir / _NAME).read_bytes())
    except (OSError, ValidationError):
        return None
