"""Whose speech is enrolled, whose is tested, and what is fitted on whom: a list that a seeded generator makes.

In: the corpus of `tests.support` (ten readers and seven announcers with many utterances, 117 readers with one of 12 s
and more each). Out: clips by name, and which of them make a trial. Every second utterance of a talker is on one side,
the others on the other; a trial of one voice has its two clips from different sides, so no utterance is in both. Of the
117 with one utterance 34 are kept for fitting and are in no trial, 50 are the unknown voices of the open-set search,
and 33 are strangers to everybody. `digest` names all of it: clips, sides, and the sound itself.

Limits: a reader's utterances are of one chapter, so of one session; an announcer's of several, under one microphone.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.voice.samples import RATE_HZ
from tests.support import corpus
from tests.support.speech import has_readers, load, speakers

Samples = NDArray[np.float32]

DIGEST = "af6a69f8af8728e52b87dda5ff03bf4f9052686e4d6991277ef9560ce3689ca4"  # of the whole list
ENROL_S = (12.0, 24.0)
TEST_S = 6.0
_STRANGERS = "librispeech-train-clean-100"
_STRANGER_LEAST_S = 12.0
_STRANGERS_MOST, _UNKNOWN_MOST = 67, 50
_ENROLLED_MOST, _TESTED_MOST = 2, 4  # of a talker's side
_SEED = 20261121


@dataclass(frozen=True, slots=True)
class Clip:
    """One stretch of one voice.

    Attributes:
        name: speaker, side and number.
        side: 0 or 1 for talkers with many utterances; a stranger's clips have none.
        role: what it is for.
    """

    name: str
    speaker: str
    side: int | None
    role: str
    samples: Samples = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Trials:
    """All clips: those to enrol, those to test with, those of other people to fit on, and those of still others."""

    enrolled: tuple[Clip, ...]
    tested: tuple[Clip, ...]
    fitted: tuple[Clip, ...]
    unknown: tuple[Clip, ...]

    @property
    def all(self) -> tuple[Clip, ...]:
        """In this order."""
        return (*self.enrolled, *self.tested, *self.fitted, *self.unknown)

    def truth(self) -> NDArray[np.int8]:
        """(enrolled, tested): 1 for one voice on different sides, 0 for two voices, -1 for what is no trial."""
        found = [[_trial(a, b) for b in self.tested] for a in self.enrolled]
        return np.array(found, np.int8)

    def digest(self) -> str:
        """SHA-256 over names, roles and sound."""
        whole = hashlib.sha256()
        for clip in self.all:
            whole.update(f"{clip.name} {clip.role}\n".encode())
            whole.update(np.rint(clip.samples * 32767).astype("<i2").tobytes())
        return whole.hexdigest()


def _trial(a: Clip, b: Clip) -> int:
    if a.speaker != b.speaker:
        return 0
    return 1 if a.side is not None and b.side is not None and a.side != b.side else -1


@cache
def trials() -> Trials:
    """The list, always the same for the same speech."""
    rng = np.random.default_rng(_SEED)
    enrolled: list[Clip] = []
    tested: list[Clip] = []
    for talker in corpus.talkers():
        utterances = [*talker.utterances, *talker.held_out]
        for side in (0, 1):
            sound = _joined(utterances[side::2])
            enrolled += _cuts(talker.name, side, "enrol", sound, rng)
            tested += _cuts(talker.name, side, "test", sound, rng)
    fitted: list[Clip] = []
    unknown: list[Clip] = []
    for number, (name, sound) in enumerate(strangers()):
        if number >= _STRANGERS_MOST:
            unknown.append(Clip(f"{name}-unknown", name, None, "test", sound[-round(TEST_S * RATE_HZ) :]))
        elif number % 2 == 0:
            fitted.append(Clip(f"{name}-fit", name, None, "fit", sound))
        else:
            enrolled.append(Clip(f"{name}-enrol", name, None, "enrol", sound))
            tested.append(Clip(f"{name}-test", name, None, "test", sound[-round(TEST_S * RATE_HZ) :]))
    return Trials(tuple(enrolled), tuple(tested), tuple(fitted), tuple(unknown))


def few(some: Trials) -> Trials:
    """A small part of the list, for a run of a minute."""
    talkers = [talker.name for talker in corpus.talkers()]
    kept = {*talkers[:3], *talkers[-3:]}

    def those(clips: tuple[Clip, ...], *, every: int) -> tuple[Clip, ...]:
        spoken = [clip for clip in clips if clip.side is None or clip.speaker in kept]
        alone = [clip for clip in spoken if clip.side is None]
        return tuple(clip for clip in spoken if clip.side is not None or alone.index(clip) % every == 0)

    return Trials(
        enrolled=those(some.enrolled, every=11),
        tested=those(some.tested, every=11),
        fitted=those(some.fitted, every=10),
        unknown=those(some.unknown, every=10),
    )


def strangers() -> Iterator[tuple[str, Samples]]:
    """The first 117 readers whose one utterance has 12 s, in the order of their numbers; none without LibriSpeech."""
    if not has_readers():
        return
    found = ((name, load(paths[0])) for name, paths in speakers(_STRANGERS).items())
    long = ((name, sound) for name, sound in found if len(sound) >= _STRANGER_LEAST_S * RATE_HZ)
    for name, sound in islice(long, _STRANGERS_MOST + _UNKNOWN_MOST):
        yield f"stranger-{name}", sound


def _joined(utterances: Sequence[Samples]) -> Samples:
    return np.concatenate(utterances)


def _cuts(speaker: str, side: int, role: str, sound: Samples, rng: np.random.Generator) -> list[Clip]:
    """One stretch after the other: of 12 to 24 s to enrol, of 6 s to test."""
    found: list[Clip] = []
    at = 0
    while len(found) < (_TESTED_MOST if role == "test" else _ENROLLED_MOST):
        seconds = TEST_S if role == "test" else float(rng.uniform(*ENROL_S))
        left_s = (len(sound) - at) / RATE_HZ
        if role == "enrol" and left_s - seconds < ENROL_S[0]:
            seconds = min(left_s, ENROL_S[1])  # the last one takes what is left
        if left_s < (TEST_S if role == "test" else ENROL_S[0]):
            break
        piece = sound[at : at + round(seconds * RATE_HZ)]
        found.append(Clip(f"{speaker}-{side}-{role}-{len(found)}", speaker, side, role, piece))
        at += len(piece)
    return found
