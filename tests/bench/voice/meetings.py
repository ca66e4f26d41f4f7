"""Excerpts of real conversations with their truth, out of the source package of pyannote.audio.

Fourteen excerpts of the AMI corpus of 30 s each (CC BY 4.0, Carletta and others, 2005), headset mix, and one talk of
two, with who speaks when. pip fetches the package once; where it can't be had there are no meetings.
"""

import subprocess
import sys
import tarfile
import unicodedata
from collections import defaultdict
from functools import cache
from pathlib import Path, PurePosixPath

from tests.support.der import Said

_PIN = "4.0.7"
_URL_NAME = f"pyannote_audio-{_PIN}"
_FOLDER = Path("build/bench/meetings")


@cache
def meetings() -> tuple[tuple[Path, tuple[Said, ...]], ...]:
    """Recordings with their truth."""
    _fetch()
    truth: dict[str, list[Said]] = defaultdict(list)
    for file in sorted(_FOLDER.glob("*.rttm")):
        for line in file.read_text().splitlines():
            _, name, _, start, length, _, _, speaker, *_ = line.split()
            truth[name].append(Said(float(start), float(start) + float(length), speaker))
    found = [(_FOLDER / f"{name}.wav", tuple(said)) for name, said in sorted(truth.items())]
    return tuple((path, said) for path, said in found if path.exists())


def _fetch() -> None:
    if (_FOLDER / "done.txt").exists():
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--no-binary", ":all:", "--dest", str(_FOLDER), f"pyannote-audio=={_PIN}"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return
    with tarfile.open(next(_FOLDER.glob("*.tar.gz"))) as package:
        for member in package:
            path = PurePosixPath(member.name)
            if path.suffix in {".wav", ".rttm"} and path.parent.name in {"data", "sample"}:
                content = package.extractfile(member)
                if content:
                    name = unicodedata.normalize("NFKD", path.name).encode("ascii", "ignore").decode()
                    (_FOLDER / name).write_bytes(content.read())
    (_FOLDER / "done.txt").write_text(_PIN)
