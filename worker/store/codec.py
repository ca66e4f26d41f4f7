"""A record as bytes and back: JSON, deflated (RFC 1950), which takes three quarters off a record with five samples."""

import zlib

from pydantic import TypeAdapter

from worker.enrollment.record import Record

_RECORD = TypeAdapter(Record)
_LEVEL = 6
_HEADER = b"\x78"  # first byte of every zlib stream; JSON begins with a brace


def packed(record: Record) -> bytes:
    """The record as bytes."""
    return zlib.compress(_RECORD.dump_json(record, exclude_defaults=True), _LEVEL)


def unpacked(blob: bytes) -> Record:
    """The record in the bytes; plain JSON is taken too."""
    return _RECORD.validate_json(zlib.decompress(blob) if blob.startswith(_HEADER) else blob)
