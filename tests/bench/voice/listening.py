"""One recording of the diarization bench at a time: what it is, who listens to it, and what became of it.

Our engine and its peers get the same samples; decoding isn't measured.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import process_time

import numpy as np

from engine.voice.diarize import Diarized, diarize
from engine.voice.preflight import Rules, inspect
from engine.voice.recording import Recording, decode
from engine.voice.samples import RATE_HZ, floats
from engine.voice.voiceprint import SamplePrint
from tests.bench.preflight.systems import running
from tests.bench.voice import meetings
from tests.bench.voice.calls import STYLES, call
from tests.bench.voice.systems import PEERS, WINDOWS
from tests.support import corpus
from tests.support.corpus import through
from tests.support.der import Errors, Said, errors
from tests.support.speech import wav
from tests.support.voices import voice

OURS = "ours"
ONE, TWO, MEETING = ("telephone", "clean", "MP3 8 kHz"), "two channels", "AMI"
_FOLDER = Path("build/bench/diarization")
_CALLS, _QUICK = 42, 2
_EVERY = 3  # of these calls is heard clean, as MP3, by slow peers, and once more knowing voices
_CODECS = {"telephone": "telephone", "MP3 8 kHz": "mp3 8 kHz"}

Read = Callable[[int | None], Recording]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording.

    Attributes:
        system: who listened.
        kind: of recording.
        style: of talk.
        number: of the recording.
        errors: with the collar, overlap counted.
        alone: the same where one speaks alone.
        people: found, and in truth.
        named: of the truth's seconds with a turn, those under the right id; None where nobody was known.
        cpu_s: without decoding.
        seconds: of sound.
    """

    system: str
    kind: str
    style: str
    number: int
    errors: Errors
    alone: Errors
    people: tuple[int, int]
    named: float | None
    cpu_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Task:
    """A recording to listen to."""

    kind: str
    number: int

    @property
    def style(self) -> str:
        return "meeting" if self.kind == MEETING else STYLES[self.number % 2]

    @property
    def path(self) -> Path:
        """Where the peers find it."""
        return _FOLDER / f"{self.kind.replace(' ', '-')}-{self.number}.wav"


def tasks(*, quick: bool) -> list[Task]:
    """Telephone calls of every pair, some of them in other kinds, and meetings, of which a quick run has none."""
    every = range(_QUICK if quick else _CALLS)
    found = [Task(kind, n) for kind in (*ONE, TWO) for n in every if kind == "telephone" or n % _EVERY == 0]
    return found if quick else found + [Task(MEETING, n) for n in range(len(meetings.meetings()))]


def heard(task: Task) -> tuple[Read, tuple[Said, ...]]:
    """A recording, and who speaks when in it."""
    if task.kind == MEETING:
        path, truth = meetings.meetings()[task.number]
        return (lambda _channel: decode(path)), truth
    made = call(task.number, task.style, channels=2 if task.kind == TWO else 1)
    data = through(made.call.channels, _CODECS[task.kind]) if task.kind in _CODECS else made.call.wav()
    kept: dict[int | None, Recording] = {}

    def read(channel: int | None) -> Recording:
        if channel not in kept:
            kept[channel] = decode(data, channel=channel)
        return kept[channel]

    return read, made.truth


def ours(task: Task) -> Outcome:
    """Listen, and to some once more, knowing one of the two who speak, and everybody who doesn't."""
    read, truth = heard(task)
    for channel in (0, 1) if task.kind == TWO else (None,):
        sound = read(channel)  # decoding isn't measured
    if task.kind != TWO:
        _FOLDER.mkdir(parents=True, exist_ok=True)
        task.path.write_bytes(wav(floats(sound.samples)))
    began = process_time()
    found = diarize(voice(), read, by_channel=task.kind == TWO)
    spent = process_time() - began
    named = None
    if task.kind == TWO or is_few(task):
        known = _known({one.speaker for one in truth}, task.number)
        named = _named(truth, diarize(voice(), read, known=known, by_channel=task.kind == TWO), known)
    return _judged(OURS, task, truth, _turns(found), spent, sound.duration_s, named=named)


def peers(system: str, interpreter: str, some: Sequence[Task]) -> list[Outcome]:
    """Let a peer listen to the same sound."""
    found = []
    with running(PEERS[system], interpreter, warm_up=some[0].path.resolve()) as process:
        for task in some:
            read, truth = heard(task)
            answer = process.ask(task.path.resolve())
            turns = [Said(start, end, who) for start, end, who in answer.found["turns"]]
            found.append(_judged(system, task, truth, turns, answer.steps["diarize"], read(None).duration_s))
    return found


def _judged(
    system: str,
    task: Task,
    truth: Sequence[Said],
    turns: Sequence[Said],
    cpu_s: float,
    seconds: float,
    *,
    named: float | None = None,
) -> Outcome:
    people = len({one.speaker for one in turns}), len({one.speaker for one in truth})
    both = errors(truth, turns), errors(truth, turns, overlap=False)
    return Outcome(system, task.kind, task.style, task.number, *both, people, named, cpu_s, seconds)


def _turns(found: Diarized) -> list[Said]:
    return [Said(one.start_s, one.end_s, one.speaker) for one in found.turns]


def _known(speakers: set[str], number: int) -> dict[str, list[SamplePrint]]:
    """Prints of held-out speech: of one of the two, and of everybody who isn't there."""
    there = sorted(speakers)
    left_out = there[1 - number % 2]
    return {one.name: [_print(one.name)] for one in corpus.talkers() if one.name != left_out}


@cache
def _print(name: str) -> SamplePrint:
    talker = next(one for one in corpus.talkers() if one.name == name)
    sound = np.concatenate(talker.held_out)[: 20 * RATE_HZ]
    return inspect(voice(), decode(wav(sound)), Rules(min_s=5.0))[1]


def _named(truth: Sequence[Said], found: Diarized, known: Mapping[str, object]) -> float:
    """Share of the speakers that are called by their id, or by a number if they aren't known."""
    right = 0.0
    speakers = sorted({one.speaker for one in truth})
    for speaker in speakers:
        mine = [one for one in truth if one.speaker == speaker]
        by_name: dict[str, float] = defaultdict(float)
        for turn in found.turns:
            by_name[turn.speaker] += sum(
                max(0.0, min(turn.end_s, one.end_s) - max(turn.start_s, one.start_s)) for one in mine
            )
        called = max(by_name, key=lambda name: by_name[name], default="")
        right += called == speaker if speaker in known else called.isdecimal()
    return right / len(speakers)


def given(system: str, every: Sequence[Task]) -> list[Task]:
    """What a peer hears: telephone calls, the slow ones some of them, and meetings."""
    return [
        task
        for task in every
        if task.kind == MEETING or (task.kind == "telephone" and (system == WINDOWS or is_few(task)))
    ]


def is_few(task: Task) -> bool:
    return task.kind == "telephone" and task.number % _EVERY == 0
