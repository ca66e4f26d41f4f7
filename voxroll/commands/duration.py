"""Durations on the command line: `90`, `90s`, `15m`, `2h`, as in the settings."""

from datetime import timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from config.settings import Duration
from voxroll.failure import CommandError, Exit

DurationOption = Annotated[str, typer.Option(help="Longest wait: 90s, 15m, 2h.")]
_READ: TypeAdapter[timedelta] = TypeAdapter(Duration)


def seconds(text: str) -> float:
    """Read a duration.

    Raises:
        CommandError: `bad_duration`.
    """
    try:
        return _READ.validate_python(text).total_seconds()
    except ValidationError as error:
        message = f"{text!r} is not a duration; write 90s, 15m or 2h"
        raise CommandError("bad_duration", message, exit_code=Exit.USAGE) from error
