"""A manifest as it was named on the command line: a file, standard input, a folder of recordings, or in a bucket."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from voxroll.failure import CommandError, Exit
from voxroll.grouping import by_folder
from worker.contract.buckets import is_bucket, lying_at

MANIFEST_HELP = (
    "CSV, JSON lines or a JSON document, also at s3://, gs:// or az://; a folder of speakers; `-` is standard input."
)
_PIECE = 1 << 20
_MOST_BYTES, _LONGEST_S = 4 << 30, 600.0  # of a manifest in a bucket


@contextmanager
def at_hand(manifest: str) -> Iterator[tuple[Path, str]]:
    """The manifest as a file, for as long as the block lasts, and the folder that its paths count from.

    A bucket is read with the credentials of who runs this.

    Raises:
        CommandError: `file_not_found`; as `by_folder`; as `engine.buckets.copy`.
    """
    here = Path(unquote(urlsplit(manifest).path) if manifest.startswith("file://") else manifest)
    if here.is_file():
        yield here, str(here.absolute().parent)
        return
    with tempfile.TemporaryDirectory(prefix="voxroll-") as folder:
        path = Path(folder) / "manifest"
        if manifest == "-":
            _copy_input(path)
        elif is_bucket(manifest):
            path = path.with_name(Path(manifest).name)
            _copy_object(manifest, path)
            yield path, manifest.rpartition("/")[0]
            return
        elif here.is_dir():
            path = path.with_name(f"{here.absolute().name}.jsonl")
            _list_folder(here.absolute(), path)
        else:
            raise CommandError("file_not_found", f"{manifest} does not exist", exit_code=Exit.USAGE)
        yield path, str(Path.cwd())


def _copy_input(path: Path) -> None:
    with path.open("wb") as file:
        while piece := sys.stdin.buffer.read(_PIECE):
            file.write(piece)


def _copy_object(url: str, path: Path) -> None:
    from engine.buckets import copy  # noqa: PLC0415  (only this way in pays for it)
    from engine.download import DownloadError, Limits  # noqa: PLC0415

    limits = Limits(
        max_bytes=_MOST_BYTES, seconds=_LONGEST_S, allow_private=True, redirects=0, settings="VOXROLL_INTAKE"
    )
    lying = lying_at(url)
    if lying is None:
        message = f"{url} names no object; give s3://bucket/key"
        raise CommandError("unreadable_source", message, exit_code=Exit.USAGE)
    try:
        asyncio.run(copy(lying.bucket, lying.key, path, limits))
    except DownloadError as error:
        raise CommandError(error.code, str(error)) from error


def _list_folder(folder: Path, path: Path) -> None:
    with path.open("w") as file:
        for speaker_id, recordings in by_folder(folder).items():
            for recording in recordings:
                file.write(json.dumps({"speakerId": speaker_id, "source": str(recording)}) + "\n")
