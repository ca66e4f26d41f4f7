"""What tells raw GSM and G.722, which have no header: the ending of a recording's name, or its media type.

The ending goes with the recording to its decoder: as that of the local file's name, and of an upload's key. Others are
left off: whatever has a header tells by itself what it is.
"""

from pathlib import PurePosixPath

_TYPES = {"audio/gsm": ".gsm", "audio/x-gsm": ".gsm", "audio/g722": ".g722"}


def ending_of(name: str, *, media_type: str = "") -> str:
    """`.gsm` or `.g722`, nothing for any other recording; the name says more than the type."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in _TYPES.values() else _TYPES.get(media_type.partition(";")[0].strip().lower(), "")
