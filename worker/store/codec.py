"""A record as bytes and back: JSON, deflated (RFC 1950), which takes three quarters off a record with five samples.

What a newer version wrote is read as far as it is known here, to be shown, and said to be newer: who writes it back
would drop the rest.
"""

import zlib
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from worker.enrollment.record import Record

_RECORD = TypeAdapter(Record)
_LEVEL = 6
_HEADER = b"\x78"  # first byte of every zlib stream; JSON begins with a brace


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A record, and whether its bytes hold more than is known here."""

    record: Record
    is_newer: bool = False


def packed(record: Record) -> bytes:
    """The record as bytes."""
    return zlib.compress(_RECORD.dump_json(record, exclude_defaults=True), _LEVEL)


def unpacked(blob: bytes) -> Unpacked:
    """The record in the bytes; plain JSON is taken too."""
    told = zlib.decompress(blob) if blob.startswith(_HEADER) else blob
    try:
        return Unpacked(_RECORD.validate_json(told, extra="forbid"))
    except ValidationError:
        return Unpacked(_RECORD.validate_json(told, extra="ignore"), is_newer=True)
