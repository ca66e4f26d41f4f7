"""A manifest as it was named on the command line: a file, standard input, or a folder of recordings."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voxroll.failure import CommandError, Exit
from voxroll.grouping import by_folder

MANIFEST_HELP = "CSV, JSON lines or a JSON document; a folder of speakers; `-` is standard input."
_PIECE = 1 << 20


@contextmanager
def at_hand(manifest: Path) -> Iterator[tuple[Path, Path]]:
    """The manifest as a file, for as long as the block lasts, and the folder that its paths count from.

    Raises:
        CommandError: `file_not_found`; as `by_folder`.
    """
    if manifest.is_file():
        yield manifest, manifest.absolute().parent
        return
    with tempfile.TemporaryDirectory(prefix="voxroll-") as folder:
        path = Path(folder) / "manifest.jsonl" if manifest.is_dir() else Path(folder) / "manifest"
        if str(manifest) == "-":
            _copy_input(path)
        elif manifest.is_dir():
            _list_folder(manifest.absolute(), path)
        else:
            raise CommandError("file_not_found", f"{manifest} does not exist", exit_code=Exit.USAGE)
        yield path, Path.cwd()


def _copy_input(path: Path) -> None:
    with path.open("wb") as file:
        while piece := sys.stdin.buffer.read(_PIECE):
            file.write(piece)


def _list_folder(folder: Path, path: Path) -> None:
    with path.open("w") as file:
        for speaker_id, recordings in by_folder(folder).items():
            for recording in recordings:
                file.write(json.dumps({"speakerId": speaker_id, "source": str(recording)}) + "\n")
