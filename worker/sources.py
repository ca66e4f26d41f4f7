"""Sources: which recordings may be handed in by name, and what is kept of one that was.

Nothing is read here but the size and the time of a file, which stand in its name: a file that changes is another
recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from config.settings import Settings
from worker.contract.buckets import is_bucket, is_within, lying_at
from worker.enrollment.errors import RequestError
from worker.enrollment.record import WHOLE, Sample, Stretch

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class HandedIn:
    """One recording as it was handed in: where it is, its name for people and for the caller (`ref`), which part."""

    source: str
    name: str
    channel: int | None = None
    stretch: Stretch = WHOLE
    language: str | None = None
    ref: str = ""

    @classmethod
    def of(cls, sample: Sample) -> Self:
        """As the recording of a sample was handed in."""
        return cls(sample.source, sample.name, sample.channel, sample.stretch, sample.language)

    @property
    def identity(self) -> str:
        """What tells it from others: of one recording, another channel or stretch is another one."""
        stretch = "" if self.stretch == WHOLE else f"|{self.stretch.start_s}-{self.stretch.end_s}"
        return f"{self.source}|{self.channel}{stretch}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where recordings may be named: in folders (None: in any), and in buckets or folders of them."""

    roots: tuple[Path, ...] | None
    buckets: tuple[str, ...] = ()

    @classmethod
    def by(cls, settings: Settings) -> Self:
        """As the settings have it; any folder, where the front door is this machine's alone."""
        is_anywhere = settings.intake.file_roots is None and settings.webhook.host in _LOOPBACK
        return cls(None if is_anywhere else settings.intake.file_roots or (), settings.intake.buckets)


def recording_from(source: str, *, allowed: Allowed) -> HandedIn:
    """Check a source that was named by path or URL; paths and buckets must be allowed.

    Raises:
        RequestError: `not_found`, `forbidden_source`, `unreadable_source`.
    """
    parts = urlsplit(source)
    if parts.scheme == "" and source.startswith("/"):
        return _file(Path(source), roots=allowed.roots)
    if parts.scheme == "file":
        return _file(Path(unquote(parts.path)), roots=allowed.roots)
    if is_bucket(source):
        return _object(source, allowed.buckets)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return HandedIn(source, _shown(source))
    message = f"{source[:80]!r}: an absolute path, a file:, http(s):, s3:, gs: or az: URL is needed"
    raise RequestError("unreadable_source", message, status=422)


def _shown(url: str) -> str:
    """A URL without its query, which may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]


def _object(source: str, buckets: Sequence[str]) -> HandedIn:
    lying = lying_at(source)
    if lying is None:
        raise RequestError("unreadable_source", f"{source[:80]!r} names no object; give s3://bucket/key", status=422)
    if not is_within(lying, buckets):
        message = f"{lying.bucket} is not read from; allow it by VOXROLL_INTAKE_BUCKETS, or hand in a file"
        raise RequestError("forbidden_source", message, status=403)
    return HandedIn(source, source[:200])


def _file(path: Path, *, roots: Sequence[Path] | None) -> HandedIn:
    real = path.resolve()
    if roots is not None and not any(real.is_relative_to(root.resolve()) for root in roots):
        message = "paths are not taken from there; allow the folder by VOXROLL_INTAKE_FILE_ROOTS, or upload the file"
        raise RequestError("forbidden_source", message, status=403)
    if not real.is_file():
        raise RequestError("not_found", f"{path}: no such file", status=404)
    stat = real.stat()
    return HandedIn(f"{real.as_uri()}?{stat.st_size}-{stat.st_mtime_ns}", path.name)
