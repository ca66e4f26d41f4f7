"""Ids of speakers: what the API takes, the same for requests, manifests and the command line."""

import re

_ID = re.compile(r"[a-zA-Z0-9_]{1,128}")  # the contract's pattern of speakerId; the length is ours


def is_speaker_id(text: str) -> bool:
    """Whether the API would take it: 1 to 128 letters, digits and underscores."""
    return _ID.fullmatch(text) is not None


def wrong_id(text: str) -> str:
    """What is wrong with an id that the API would not take, and one that would do."""
    instead = re.sub(r"[^a-zA-Z0-9_]+", "_", text).strip("_")[:128] or "speaker_1"
    return f"{text!r}: ids have up to 128 letters, digits and underscores only; {instead!r} would do"
