"""Sources: which recordings may be handed in by name, and what is kept of one that was.

Nothing is read here but the size and the time of a file, which stand in its name: a file that changes is another
recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from config.settings import Settings
from worker.enrollment.errors import RequestError
from worker.enrollment.record import WHOLE, Stretch

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class HandedIn:
    """One recording as it was handed in: where it is, its name for people, channel, stretch, language."""

    source: str
    name: str
    channel: int | None = None
    stretch: Stretch = WHOLE
    language: str | None = None

    @property
    def identity(self) -> str:
        """What tells it from others: of one recording, another channel or stretch is another one."""
        stretch = "" if self.stretch == WHOLE else f"|{self.stretch.start_s}-{self.stretch.end_s}"
        return f"{self.source}|{self.channel}{stretch}"


def roots_of(settings: Settings) -> tuple[Path, ...] | None:
    """Folders that recordings may be named in by path; None: anywhere, as the front door is this machine's alone."""
    if settings.intake.file_roots is None and settings.webhook.host in _LOOPBACK:
        return None
    return settings.intake.file_roots or ()


def recording_from(source: str, *, roots: Sequence[Path] | None) -> HandedIn:
    """Check a source that was named by path or URL; paths lie in the roots, if there are any bounds.

    Raises:
        RequestError: `not_found`, `forbidden_source`, `unreadable_source`.
    """
    parts = urlsplit(source)
    if parts.scheme == "" and source.startswith("/"):
        return _file(Path(source), roots=roots)
    if parts.scheme == "file":
        return _file(Path(unquote(parts.path)), roots=roots)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return HandedIn(source, _shown(source))
    message = f"{source[:80]!r}: an absolute path, a file: or an http(s): URL is needed"
    raise RequestError("unreadable_source", message, status=422)


def _shown(url: str) -> str:
    """A URL without its query, which may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]


def _file(path: Path, *, roots: Sequence[Path] | None) -> HandedIn:
    real = path.resolve()
    if roots is not None and not any(real.is_relative_to(root.resolve()) for root in roots):
        message = "paths are not taken from there; allow the folder by VOXROLL_INTAKE_FILE_ROOTS, or upload the file"
        raise RequestError("forbidden_source", message, status=403)
    if not real.is_file():
        raise RequestError("not_found", f"{path}: no such file", status=404)
    stat = real.stat()
    return HandedIn(f"{real.as_uri()}?{stat.st_size}-{stat.st_mtime_ns}", path.name)
