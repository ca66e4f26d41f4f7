"""Kinds of values that several settings have, and how each is read from the text of an environment variable."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_settings import NoDecode

Quality = Literal["Poor", "Average", "Good", "High"]
MIB = 1024 * 1024
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    """Read `90`, `90s`, `2m`, `24h` and `7d`; leave the rest (ISO 8601, timedelta) to pydantic."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value.strip()) if isinstance(value, str) else None
    return timedelta(seconds=float(found[1]) * _UNITS_S[found[2]]) if found else value


def _secrets(value: object) -> object:
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


def _words(value: object) -> object:
    return tuple(filter(None, re.split(r"[,\s]+", value))) if isinstance(value, str) else value


def _folders(value: object) -> object:
    return tuple(value.split(os.pathsep)) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_secrets)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Folders = Annotated[tuple[Path, ...] | None, NoDecode, BeforeValidator(_folders)]


class Concern(BaseModel):
    """Settings of one concern."""

    model_config = ConfigDict(frozen=True, extra="forbid")
