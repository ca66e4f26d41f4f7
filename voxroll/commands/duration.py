"""Durations and times on the command line: `90`, `90s`, `15m`, `2h`, as in the settings, and ISO 8601."""

import re
from datetime import datetime, timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from config.settings import Duration
from voxroll.failure import CommandError, Exit

DurationOption = Annotated[str, typer.Option(help="Longest wait: 90s, 15m, 2h.")]
_READ: TypeAdapter[timedelta] = TypeAdapter(Duration)
_DAYS = ("today", "yesterday")


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


def moment(text: str) -> datetime:
    """Read a time that was.

    ISO 8601, in the local zone where it names none; `09:00`, the last time that a clock here showed it; `today` and
    `yesterday`, from midnight on; or how long ago it was.

    Raises:
        CommandError: `bad_time`.
    """
    now = datetime.now().astimezone()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in _DAYS:
        return midnight - timedelta(days=_DAYS.index(text))
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}", text):
            hours, minutes = map(int, text.split(":"))
            at = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
            return at if at <= now else at - timedelta(days=1)
        return datetime.fromisoformat(text).astimezone() if "-" in text else now - _READ.validate_python(text)
    except (ValueError, OverflowError) as error:
        message = f"{text!r} is not a time; write 09:00, 2026-11-21T09:00, yesterday, or 2h for two hours ago"
        raise CommandError("bad_time", message, exit_code=Exit.USAGE) from error


def deadline(text: str) -> datetime:
    """Read a time to come: `06:00` is the next time that a clock here shows it; ISO 8601; or `8h` from now.

    Raises:
        CommandError: `bad_time`.
    """
    now = datetime.now().astimezone()
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}", text):
            hours, minutes = map(int, text.split(":"))
            at = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
            return at if at > now else at + timedelta(days=1)
        found = datetime.fromisoformat(text) if "-" in text else now + _READ.validate_python(text)
        return found.astimezone()
    except (ValueError, OverflowError) as error:
        message = f"{text!r} is no time to come; write 06:00, 2026-11-21T06:00, or 8h"
        raise CommandError("bad_time", message, exit_code=Exit.USAGE) from error
