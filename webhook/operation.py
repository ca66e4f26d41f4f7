"""A row of the front door's own description, and the words that several rows share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

JSON = "application/json"
TEXT: dict[str, Any] = {"type": "string"}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
FLAG: dict[str, Any] = {"type": "boolean"}
SPEAKER: dict[str, Any] = {"type": "string", "pattern": "^[a-zA-Z0-9_]{1,128}$"}
EVENT: dict[str, Any] = {"type": "string", "pattern": "^evt_[0-9]{1,19}-[0-9]{1,19}$"}
LIMIT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: a verb on a path, what it takes and what it may answer (status to model)."""

    verb: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    takes: Mapping[str, type[BaseModel]] | None = None
    query: Sequence[tuple[str, Mapping[str, Any]]] = ()
    headers: Sequence[tuple[str, Mapping[str, Any]]] = ()
    streams: bool = False
