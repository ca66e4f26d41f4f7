"""Fields that rows and requests share: which stretch of a recording is meant, and which language is spoken in it.

In: what somebody wrote, of any type. Out: a value, or a `FieldError` that says what is wrong with it and what would do.
"""

import math
import re
from typing import Any

from worker.enrollment.record import WHOLE, Stretch

__all__ = ["SHOWN", "WHOLE", "FieldError", "Stretch", "language_of", "seconds_of", "short", "stretch_of"]

SHOWN = 60  # characters of a value that are repeated to who wrote it
_LONGEST_S = 360_000  # 100 h; nobody means a longer recording
_CLOCK = re.compile(r"(?:([0-9]{1,3}):(?=[0-9]{2}:))?([0-9]{1,4}):([0-5][0-9](?:\.[0-9]{1,6})?)")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_TAG = re.compile(r"[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,8}){0,4}")
_REGION, _SCRIPT = 2, 4  # letters of these parts of a tag


class FieldError(Exception):
    """A field that can't be read: which, and what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def stretch_of(start: Any, end: Any) -> Stretch:
    """The stretch between two times; None is the beginning, or the end.

    Raises:
        FieldError: one is no time, or the end is not after the start.
    """
    if start is None and end is None:
        return WHOLE
    start_s, end_s = seconds_of("start", start), seconds_of("end", end)
    if end_s is not None and end_s <= (start_s or 0.0):
        raise FieldError("end", f"{end_s:g} s is not after the start at {start_s or 0:g} s; name a later end")
    return Stretch(start_s=start_s or 0.0, end_s=end_s)


def seconds_of(field: str, value: Any) -> float | None:
    """A time in a recording in whole milliseconds: `90`, `90.5`, `01:30`, `1:01:30.5`.

    Raises:
        FieldError: it is none, is negative, or over 100 hours.
    """
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is None:
        raise FieldError(field, f"{short(value)} is no time; give seconds, mm:ss or h:mm:ss from the beginning on")
    if not 0 <= seconds <= _LONGEST_S:
        raise FieldError(field, f"{short(value)} is not between 0 and {_LONGEST_S} s; give a time in the recording")
    return round(seconds, 3)


def _seconds(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 10 * _LONGEST_S else math.inf
    if not isinstance(value, str):
        return None
    text = value.strip()
    sign = -1.0 if text.startswith("-") else 1.0
    text = text.removeprefix("-")
    if _SECONDS.fullmatch(text):
        return sign * float(text)
    found = _CLOCK.fullmatch(text)
    if found is None or (found[1] and int(found[2]) >= 60):  # noqa: PLR2004 -- minutes of an hour
        return None
    return sign * (int(found[1] or 0) * 3600 + int(found[2]) * 60 + float(found[3]))


def language_of(value: Any) -> str | None:
    """A language tag as BCP 47 writes it (`en`, `de-CH`, `zh-Hant-TW`); None where nothing is said.

    Raises:
        FieldError: it is none.
    """
    if value is None:
        return None
    text = value.strip().replace("_", "-") if isinstance(value, str) else ""
    if not _TAG.fullmatch(text):
        raise FieldError("language", f"{short(value)} is no language tag; give one like en-US, or nothing")
    first, *rest = text.split("-")
    return "-".join([first.lower(), *map(_cased, rest)])


def _cased(part: str) -> str:
    if len(part) == _REGION and part.isalpha():
        return part.upper()
    return part.title() if len(part) == _SCRIPT and part.isalpha() else part.lower()


def short(value: Any) -> str:
    """A value as it is repeated to who wrote it."""
    try:
        text = ascii(value)
    except RecursionError:
        return "this"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
