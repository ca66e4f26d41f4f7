"""Which files belong to which speaker, told from their names alone.

A folder has either one subfolder per speaker, or files whose names begin with the speaker: the text before the first
`-` (`anna-01.wav`, `anna-02.wav`), or else the name without the digits and underscores at its end (`anna_1.wav`,
`anna2.wav`). Hidden files are left out. Ids are checked against the contract's pattern, not altered.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from voxroll.failure import CommandError, Exit
from worker.contract.ids import is_speaker_id, wrong_id


def prefix(stem: str) -> str:
    """The speaker that a file name without its suffix stands for.

    Ids may be numbers: of a name made of digits alone, what stands before the first underscore is the prefix.
    """
    before, dash, _ = stem.partition("-")
    if dash and before:
        return before
    return stem.rstrip("0123456789_") or stem.strip("_").partition("_")[0] or stem


def by_prefix(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Group files by the prefix of their names, both in order of name."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(files):
        groups[prefix(file.stem)].append(file)
    return dict(groups)


def by_folder(folder: Path) -> dict[str, list[Path]]:
    """Group the files of a folder as `grouped` does.

    Raises:
        CommandError: `no_such_folder`; as `grouped`.
    """
    if not folder.is_dir():
        raise CommandError("no_such_folder", f"{folder} is not a folder", exit_code=Exit.USAGE)
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {name: [folder / file for file in group] for name, group in grouped(files, where=str(folder)).items()}


def grouped(files: Iterable[Path], *, where: str) -> dict[str, list[Path]]:
    """Group files, named from their folder: by subfolder where it has any with files in it, else by prefix.

    Raises:
        CommandError: `no_files` or `mixed_folder` (files beside speakers' folders).
    """
    seen = sorted(file for file in files if not file.parts[0].startswith(".") and not file.name.startswith("."))
    loose = [file for file in seen if len(file.parts) == 1]
    if not seen:
        raise CommandError("no_files", f"{where} has no recordings in it", exit_code=Exit.USAGE)
    if loose and len(loose) < len(seen):
        raise CommandError(
            "mixed_folder",
            f"{where} has folders and {len(loose)} files beside them ({loose[0].name}): whose are the files? "
            "Move them into a speaker's folder or elsewhere",
            exit_code=Exit.USAGE,
        )
    return by_prefix(loose) or {name: list(group) for name, group in groupby(seen, key=lambda file: file.parts[0])}


def check_id(speaker_id: str) -> None:
    """Refuse an id that the enrollment API would refuse.

    Raises:
        CommandError: `speaker_id_invalid`, with an id that would do.
    """
    if not is_speaker_id(speaker_id):
        raise CommandError("speaker_id_invalid", wrong_id(speaker_id), exit_code=Exit.USAGE)
