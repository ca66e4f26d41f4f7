"""Addresses in object stores: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`. Nothing is read here.

A key is taken as it is written, not decoded, so that what is compared with an allowed prefix is what is fetched.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

SCHEMES = ("s3", "gs", "az")
_BUCKET = rf"(?:{'|'.join(SCHEMES)})://[A-Za-z0-9][A-Za-z0-9._-]{{1,62}}"
_ADDRESS = re.compile(rf"({_BUCKET})/(.+)", re.DOTALL)
_WHOLE = re.compile(rf"({_BUCKET})/?")
_NO_PART = frozenset({"", ".", ".."})


class Lying(NamedTuple):
    """Where something lies: the bucket as a URL, and the key in it."""

    bucket: str
    key: str


def lying_at(url: str) -> Lying | None:
    """What an address says; None if it is none of an object, or its key has empty parts, `.` or `..`."""
    found = _ADDRESS.fullmatch(url)
    if found is None or _NO_PART.intersection(found[2].split("/")):
        return None
    return Lying(found[1], found[2])


def folder_at(url: str) -> Lying | None:
    """What the address of a folder says, which ends with `/`, or of a bucket: its key has no `/` at the end."""
    if whole := _WHOLE.fullmatch(url):
        return Lying(whole[1], "")
    return lying_at(url[:-1]) if url.endswith("/") else None


def is_bucket(url: str) -> bool:
    """Whether it begins as an address in an object store does."""
    return url.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def is_within(lying: Lying, prefixes: Iterable[str]) -> bool:
    """Whether an object lies in one of these buckets, or below one of these folders of a bucket."""
    url = f"{lying.bucket}/{lying.key}"
    return any(url.startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes)


def placed(source: str, folder: str) -> str:
    """Where a recording is: paths count from a folder, which may be one of a bucket; empty: from nowhere."""
    if not folder or source.startswith("/") or _has_scheme(source):
        return source
    return f"{folder.rstrip('/')}/{source}"


def _has_scheme(source: str) -> bool:
    try:
        return bool(urlsplit(source).scheme)
    except ValueError:
        return True  # a URL that is none
