"""Which recordings are meant: files as named, what looks like one in folders, the rows of manifests.

Nothing is opened here but folders and manifests. A row that names no file on this machine is a recording all the same,
refused beforehand, so that it has its place among the verdicts.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from engine.voice.failure import VoiceFailure
from engine.voice.refusals import clock
from worker.contract import manifest
from worker.contract.fields import WHOLE, Stretch
from worker.contract.rows import BadRow, Row

_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *(
            "3gp",
            "aac",
            "aif",
            "aiff",
            "amr",
            "asf",
            "au",
            "avi",
            "caf",
            "flac",
            "g722",
            "gsm",
            "m4a",
            "m4v",
            "mka",
            "mkv",
        ),
        *("mov", "mp3", "mp4", "oga", "ogg", "opus", "snd", "w64", "wav", "webm", "wma", "wmv"),
    )
)


UNLOOKED = "unreadable_source"  # of a recording that lies somewhere else
_SHOWN = 200
_FILE = "file://"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A recording that is to be judged.

    Attributes:
        file: as it was named, or found in a folder; the manifest, of a row that names no file.
        line: of the manifest that names it; None where it was named otherwise.
        channel: the speaker is on, from 0, where the manifest says so.
        stretch: in which the sample is looked for.
        speaker_id: whose voice it is, likewise.
        refusal: why there is no file to look at.
    """

    file: Path
    line: int | None = None
    channel: int | None = None
    stretch: Stretch = WHOLE
    speaker_id: str | None = None
    refusal: VoiceFailure | None = None

    @property
    def row(self) -> str:
        """What its name needs to tell it from others of the same file: the line of a row without one, the stretch."""
        if self.refusal and self.line is not None:
            return f":{self.line}"
        start_s, end_s = self.stretch.start_s, self.stretch.end_s
        if end_s is not None:
            return f" {clock(start_s)} to {clock(end_s)}"
        return f" from {clock(start_s)}" if start_s else ""


def readable(file: Path) -> str:
    """The name for people and JSON; bytes that are no UTF-8 are shown as �."""
    return os.fsencode(file).decode(errors="replace")


def asked_of(paths: Iterable[Path]) -> list[Asked]:
    """The recordings that are meant, in order; a file is meant once, however often it is named, a row always.

    Raises:
        OSError: a folder or a manifest can't be read.
    """
    found: dict[Asked, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(Asked(file=file) for file in _inside(path))
        elif path.suffix.lower() in manifest.KINDS and path.is_file():
            found |= dict.fromkeys(of_row(path, row) for row in manifest.read(path))
        else:
            found[Asked(file=path)] = None
    return list(found)


def is_address(source: str) -> bool:
    """Whether a row's recording lies somewhere else, where nothing here looks."""
    return _ADDRESS.match(source) is not None and not source.startswith(_FILE)


def of_row(path: Path, row: Row | BadRow) -> Asked:
    """A row as a recording; paths count from the manifest's folder."""
    if isinstance(row, BadRow):
        return Asked(file=path, line=row.line, refusal=VoiceFailure("bad_row", str(row)))
    if row.consent is False:
        why = f"line {row.line}, consent: the speaker has not agreed; nothing is done with the recording"
        return Asked(file=path, line=row.line, speaker_id=row.speaker_id, refusal=VoiceFailure("no_consent", why))
    if row.rejected:
        why = f"line {row.line}, rejected: a person has listened and rejected it; nothing is done with the recording"
        return Asked(file=path, line=row.line, speaker_id=row.speaker_id, refusal=VoiceFailure("rejected", why))
    asked = Asked(
        file=path.parent / (unquote(row.source.removeprefix(_FILE)) if row.source.startswith(_FILE) else row.source),
        line=row.line,
        channel=row.channel,
        stretch=row.stretch,
        speaker_id=row.speaker_id,
    )
    if not is_address(row.source):
        return asked
    why = f"{row.source[:_SHOWN]} is an address, and this looks at files alone; download it and name the file"
    return replace(asked, file=path, refusal=VoiceFailure(UNLOOKED, why))


def _inside(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
