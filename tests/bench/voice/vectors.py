"""Vectors of all clips under all conditions, ours and the peers'; computed once and kept below build/.

Ours are a file per clip, found again under a hash of its sound, the network and the code that makes vectors; a run that
was cut short goes on where it was. A peer's are one file, under a hash of the clips, its pins and its script.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from engine.voice import embedding, fbank, recording, speech
from engine.voice.band import is_narrow_band, loud_spectrum
from engine.voice.recording import narrowed
from engine.voice.samples import RATE_HZ, floats, sixteen_bits
from tests.bench import report
from tests.bench.preflight.systems import environment
from tests.bench.voice import sounds
from tests.bench.voice.sounds import CONDITIONS, heard
from tests.bench.voice.trials import Clip, Trials, trials
from tests.support.voices import voice

Vectors = NDArray[np.float32]
Numbers = NDArray[np.float64]

SHORT_S = 2.0  # of speech; what is left of a test where little is said
_CUT = ("clean", "telephone")  # under which short tests are heard too
_FOLDER = Path("build/bench/voice")
_CODE = (embedding, fbank, recording, speech, sounds)


@dataclass(frozen=True, slots=True)
class Heard:
    """Some clips under one condition, a row each.

    Attributes:
        vectors: raw, (clips, dimension).
        narrow: raw, through the telephone's band; the same as `vectors` where there is nothing above it.
        short: raw, of the first 2 s of speech alone, of tests; else as `vectors`.
        speech_s: seconds of speech.
        narrow_band: whether there is nothing above the telephone's band.
        spectrum: `band.loud_spectrum`, (clips, 257).
    """

    vectors: Vectors
    narrow: Vectors
    short: Vectors
    speech_s: Numbers
    narrow_band: NDArray[np.bool_]
    spectrum: Vectors

    def __getitem__(self, rows: slice) -> "Heard":
        return Heard(
            self.vectors[rows],
            self.narrow[rows],
            self.short[rows],
            self.speech_s[rows],
            self.narrow_band[rows],
            self.spectrum[rows],
        )


def ours(some: Trials) -> dict[str, Heard]:
    """Every clip under every condition, in the order of `Trials.all`."""
    folder = _FOLDER / f"vectors-{_key()}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{_hash(_sound(clip))}.npz" for clip in some.all]
    missing = [clip.name for clip, file in zip(some.all, files, strict=True) if not file.exists()]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for number, _ in enumerate(pool.map(partial(_kept, folder), missing), start=1):
            if number % 20 == 0:
                report.say(f"vectors of {number} of {len(missing)} clips")
    rows = [dict(np.load(file)) for file in files]
    found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return {condition: _heard(found, condition) for condition in CONDITIONS}


def clean(samples: NDArray[np.float32]) -> Heard:
    """One clip as it is, not kept."""
    spoken, is_narrow = _spoken(samples), is_narrow_band(samples)
    vector = voice().embed(spoken)
    return Heard(
        vectors=vector[None],
        narrow=vector[None] if is_narrow else voice().embed(narrowed(spoken))[None],
        short=vector[None],
        speech_s=np.array([len(spoken) / RATE_HZ]),
        narrow_band=np.array([is_narrow]),
        spectrum=loud_spectrum(samples).astype(np.float32)[None],
    )


def joined(some: Sequence[Heard]) -> Heard:
    """Several as one."""
    return Heard(*(np.concatenate([getattr(one, field.name) for one in some]) for field in fields(Heard)))


def _kept(folder: Path, name: str) -> None:
    clip = next(clip for clip in trials().all if clip.name == name)
    made = folder / f"{name}.part.npz"
    np.savez(made, **_one(clip))  # type: ignore[arg-type]  # names are arguments
    made.rename(folder / f"{_hash(_sound(clip))}.npz")


def _sound(clip: Clip) -> bytes:
    return sixteen_bits(clip.samples).tobytes() + clip.role.encode()


def _heard(found: dict[str, NDArray[np.float32]], condition: str) -> Heard:
    return Heard(
        vectors=found[f"{condition} vector"],
        narrow=found[f"{condition} narrow"],
        short=found[f"{condition} short"],
        speech_s=found[f"{condition} speech_s"].astype(np.float64),
        narrow_band=found[f"{condition} narrow_band"].astype(bool),
        spectrum=found[f"{condition} spectrum"],
    )


def _one(clip: Clip) -> dict[str, NDArray[np.float32]]:
    """A clip under all conditions."""
    models = voice()
    found: dict[str, NDArray[np.float32]] = {}
    for condition in CONDITIONS:
        samples = heard(clip.samples, condition)
        spoken, is_narrow = _spoken(samples), is_narrow_band(samples)
        vector = models.embed(spoken)
        is_clean = condition == "clean"
        is_cut = clip.role == "test" and condition in _CUT
        found |= {
            f"{condition} vector": vector,
            f"{condition} narrow": models.embed(narrowed(spoken)) if is_clean and not is_narrow else vector,
            f"{condition} short": models.embed(spoken[: round(SHORT_S * RATE_HZ)]) if is_cut else vector,
            f"{condition} speech_s": np.array(len(spoken) / RATE_HZ, np.float32),
            f"{condition} narrow_band": np.array(is_narrow, np.float32),
            f"{condition} spectrum": loud_spectrum(samples).astype(np.float32),
        }
    return found


def _spoken(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The speech alone, or all of it where next to none is found: no trial is left out."""
    found = speech.spoken(samples, voice().speech(samples))
    return found if len(found) >= RATE_HZ else samples


def as_sent(some: Trials, *, most: int) -> Vectors:
    """Ours of the very 16 bits that the reference was sent, of the first clips: digital silence has no rounding."""
    sent = (sixteen_bits(_spoken(clip.samples)) for clip in (*some.enrolled, *some.tested)[:most])
    return np.stack([voice().embed(floats(samples)) for samples in sent])


def _whole(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return samples


def peers(some: Trials, conditions: Sequence[str], *, python: str, given: Sequence[str]) -> dict[str, Vectors]:
    """A peer's vectors of the enrolled and tested clips, in that order, by condition.

    The reference is given the speech that our network is given; Resemblyzer finds it in the whole clip by itself.
    """
    take = _spoken if given[0] == "reference" else _whole
    clips = (*some.enrolled, *some.tested)
    script, pins = Path(__file__).with_name("peers") / "vectors.py", Path(__file__).with_name("peers.txt")
    what = [some.digest().encode(), script.read_bytes(), pins.read_bytes(), " ".join(conditions).encode()]
    file = _FOLDER / f"{given[0]}-{_hash(*what)}.npy"
    if not file.exists():
        report.say(f"{given[0]}: {len(conditions)} x {len(clips)} clips")
        file.parent.mkdir(parents=True, exist_ok=True)
        command = [python, "-m", "tests.bench.voice.peers.vectors", *given]
        sent = (sixteen_bits(take(heard(clip.samples, condition))) for condition in conditions for clip in clips)
        np.save(file, np.stack(list(_answers(command, sent))))
    return dict(zip(conditions, np.split(np.asarray(np.load(file), np.float32), len(conditions)), strict=True))


def _answers(command: Sequence[str], sent: Iterator[NDArray[np.int16]]) -> Iterator[Vectors]:
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        feeding = Thread(target=_feed, args=(process.stdin, sent))
        feeding.start()
        while len(head := process.stdout.read(4)) == 4:
            yield np.frombuffer(process.stdout.read(4 * int(np.frombuffer(head, np.uint32)[0])), np.float32)
        feeding.join()


def _feed(to: "subprocess._InputStream[bytes]", sent: Iterator[NDArray[np.int16]]) -> None:  # type: ignore[name-defined]
    with to:
        for samples in sent:
            to.write(np.uint32(len(samples)).tobytes() + samples.astype("<i2").tobytes())


def _key() -> str:
    code = (Path(str(module.__file__)).read_bytes() for module in _CODE)
    return _hash(voice().manifest.sha256.encode(), *code)


def _hash(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()[:16]
