"""A manifest as it was named on the command line: a file, standard input, a folder of recordings; also in a bucket."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from voxroll.failure import CommandError, Exit
from voxroll.grouping import by_folder, grouped
from worker.contract.buckets import folder_at, is_bucket, lying_at

MANIFEST_HELP = (
    "CSV, JSON lines, a JSON document, or a folder of speakers; also at s3://, gs:// or az://, where a folder ends "
    "with a slash. `-` is standard input."
)
_PIECE = 1 << 20
_MOST_BYTES, _LONGEST_S = 4 << 30, 600.0  # of a manifest in a bucket
_MOST_FILES = 1_000_000  # of a folder in a bucket; they are sorted, so all of their names are in memory


@contextmanager
def at_hand(manifest: str) -> Iterator[tuple[Path, str]]:
    """The manifest as a file, for as long as the block lasts, and the folder that its paths count from.

    A bucket is read with the credentials of who runs this.

    Raises:
        CommandError: `file_not_found`; as `grouping`; as `engine.buckets`.
    """
    here = Path(unquote(urlsplit(manifest).path) if manifest.startswith("file://") else manifest)
    if here.is_file():
        yield here, str(here.absolute().parent)
        return
    with tempfile.TemporaryDirectory(prefix="voxroll-") as folder:
        path = Path(folder) / ("manifest" if manifest == "-" else Path(manifest).absolute().name)
        if manifest == "-":
            _copy_input(path)
        elif is_bucket(manifest):
            yield _from_bucket(manifest, path), manifest.rpartition("/")[0]
            return
        elif here.is_dir():
            path = _listed(by_folder(here.absolute()), path)
        else:
            raise CommandError("file_not_found", f"{manifest} does not exist", exit_code=Exit.USAGE)
        yield path, str(Path.cwd())


def _copy_input(path: Path) -> None:
    with path.open("wb") as file:
        while piece := sys.stdin.buffer.read(_PIECE):
            file.write(piece)


def _from_bucket(url: str, path: Path) -> Path:
    """The manifest that an address in an object store names, or a list of the folder there."""
    from engine.buckets import copy, keys_below  # noqa: PLC0415  (only this way in pays for it)
    from engine.download import DownloadError, Limits  # noqa: PLC0415

    limits = Limits(
        max_bytes=_MOST_BYTES, seconds=_LONGEST_S, allow_private=True, redirects=0, settings="VOXROLL_INTAKE"
    )
    try:
        if folder := folder_at(url):
            keys = asyncio.run(keys_below(folder.bucket, folder.key, limits, most=_MOST_FILES))
            return _listed(grouped(map(Path, keys), where=url), path, at=url.removesuffix("/"))
        if lying := lying_at(url):
            asyncio.run(copy(lying.bucket, lying.key, path, limits))
            return path
    except DownloadError as error:
        raise CommandError(error.code, str(error)) from error
    scheme = url.partition(":")[0]
    message = f"{url} names nothing; give {scheme}://bucket/roster.csv, or a folder as {scheme}://bucket/folder/"
    raise CommandError("unreadable_source", message, exit_code=Exit.USAGE)


def _listed(speakers: Mapping[str, Sequence[Path]], path: Path, *, at: str = "") -> Path:
    """A manifest of these recordings, which lie below an address."""
    path = path.with_suffix(".jsonl")
    with path.open("w") as file:
        for speaker_id, recordings in speakers.items():
            for recording in recordings:
                source = f"{at}/{recording}" if at else str(recording)
                file.write(json.dumps({"speakerId": speaker_id, "source": source}) + "\n")
    return path
