"""`make bench-mining`: does preflight find the right stretch of the right person, and what is wrong with the others.

In: nothing, or QUICK=1 for a few cases of each kind. Out: tables, and build/bench/mining.json. Exit 0 whether or not
the bars hold. The calls are made of real speech by `cases`; every share is given with its 95 % interval (Wilson 1927).
"""

import math
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.voice.likeness import KnownVoice, Print, compare, known, make
from engine.voice.preflight import Found, Rules, Search, mine
from engine.voice.recording import Recording, decode
from engine.voice.samples import RATE_HZ
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE
from tests.bench import report
from tests.bench.mining import duplicates, predictor
from tests.bench.mining.cases import KINDS, Case, case
from tests.bench.report import Bar
from tests.support import corpus
from tests.support.corpus import Call
from tests.support.voices import voice
from voxroll.progress import steps

_REPORT = Path("build/bench/mining.json")
_EACH, _QUICK = 34, 2  # cases of a kind; two for every talker
_Z = 1.96
_RIGHT = 0.95  # of the speech in a window must be the right person's
_FOUND = 0.3  # of what was planted must lie in what was found: ringback sounds for a third of its time
_FIRST_S = 24.0
_LABELLED = 0.1  # energy and the segmentation net must agree so far on a talker, or neither is taken for the truth
_CLEAN = tuple(kind for kind in KINDS if kind.startswith("clean "))
_CALLS = ("two channels", "one channel")
_WITHIN = tuple(kind for kind in KINDS if kind.endswith(" within"))
_DEFECTS = tuple(kind for kind in KINDS if kind not in {*_CLEAN, *_CALLS, *_WITHIN})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case.

    Attributes:
        kind: of the case.
        code: the refusal, or `usable`.
        right: a refusal that was expected; of a usable recording that it is found usable.
        share: of the window's speech that is the right person's; None without a window.
        known_share: the same where the person's voice was known beforehand.
        found: what was planted within was found, and the window keeps clear of it; None where nothing was.
        speech: seconds of speech over those of the truth; None where that isn't known well enough.
        prints: of the mined window, the first 24 s and 24 s anywhere, with the seconds of speech in each.
    """

    kind: str
    number: int
    code: str
    right: bool
    share: float | None = None
    known_share: float | None = None
    found: bool | None = None
    speech: float | None = None
    prints: tuple[tuple[Print | None, float], ...] = ()


def judged(kind_and_number: tuple[str, int]) -> Outcome:
    """Judge one case, in a process of its own."""
    kind, number = kind_and_number
    one = case(kind, number)
    data = one.encoded()
    found = _mined(data, Search())
    code = found.refusal.code if found.refusal else "usable"
    outcome = Outcome(kind, number, code, code in one.codes if one.codes else code == "usable", _share(one.call, found))
    if kind in _CALLS:
        held_out = _known_voice(one.call.target)
        known_share = _share(one.call, _mined(data, Search(known=held_out)))
        prints = _prints(one, data, found, seed=number) if kind == "one channel" else ()
        return replace(outcome, known_share=known_share, prints=prints)
    if kind in _WITHIN:
        return replace(outcome, found=_is_found(one, found))
    if kind in _CLEAN and _is_labelled(one.call.target):
        return replace(outcome, speech=found.leg.speech_s / one.call.speech_s(one.call.target))
    return outcome


def _mined(data: bytes, search: Search) -> Found:
    def read(channel: int | None) -> Recording:
        return decode(data, channel=channel)

    return mine(voice(), read, Rules(), search)


def _share(call: Call, found: Found) -> float | None:
    """How much of the first window's speech is the right person's; on the wrong channel that is none."""
    if not found.windows or not call.turns:
        return None
    window = found.windows[0]
    if window.channel is not None and window.channel not in {t.channel for t in call.turns if t.speaker == call.target}:
        return 0.0
    here = replace(call, turns=tuple(t for t in call.turns if window.channel in {None, t.channel}))
    return here.share_of(call.target, window.start_s, window.end_s)


def _is_found(one: Case, found: Found) -> bool:
    planted = one.call.planted[0]
    heard = found.music if planted.code.startswith("music") else (*found.tones, *found.music)
    covered = sum(max(0.0, min(s.end_s, planted.end_s) - max(s.start_s, planted.start_s)) for s in heard)
    clear = all(min(w.end_s, planted.end_s) - max(w.start_s, planted.start_s) < 1 for w in found.windows)
    return covered >= _FOUND * (planted.end_s - planted.start_s) and clear


def _talker(name: str) -> corpus.Talker:
    return next(talker for talker in corpus.talkers() if talker.name == name)


def _known_voice(name: str) -> KnownVoice | None:
    samples = np.concatenate(_talker(name).held_out)[: 20 * RATE_HZ]
    return known([make(voice(), samples)])


def _is_labelled(name: str) -> bool:
    """Whether energy and the segmentation net agree on how much a talker speaks."""
    samples = [np.pad(one, RATE_HZ // 2) for one in _talker(name).utterances[:6]]
    by_net = sum(run.duration_s for one in samples for run in voice().turns(one).runs)
    by_energy = sum(corpus.speech_s(one) for one in samples)
    return abs(by_net / by_energy - 1) <= _LABELLED


def _prints(one: Case, data: bytes, found: Found, *, seed: int) -> tuple[tuple[Print | None, float], ...]:
    """Print and seconds of the right person's speech of three choices: mined, the first 24 s, 24 s anywhere."""
    whole = decode(data)
    latest_s = max(0.0, whole.duration_s - _FIRST_S)
    anywhere_s = float(np.random.default_rng(seed).uniform(0, latest_s))
    mined = [(window.start_s, window.end_s) for window in found.windows] or [(0.0, 0.0)]
    cuts = [mined[0], (0.0, _FIRST_S), (anywhere_s, anywhere_s + _FIRST_S)]
    target = one.call.target
    return tuple((_printed(whole.between(*cut)), one.call.speech_s(target, *cut)) for cut in cuts)


def _printed(samples: NDArray[np.float32]) -> Print | None:
    try:
        return make(voice(), samples)
    except ValueError:  # nobody speaks
        return None


def equal_error_rate(targets: Sequence[float], others: Sequence[float]) -> float:
    """Where as many targets are missed as others let in, in percent: the mean of both at the nearest score."""
    same, different = np.sort(targets), np.sort(others)
    cuts = np.concatenate([same, different])
    missed = np.searchsorted(same, cuts) / len(same)
    passed = 1 - np.searchsorted(different, cuts) / len(different)
    at = int(np.argmin(np.abs(missed - passed)))
    return float(missed[at] + passed[at]) * 50


def verified(outcomes: Sequence[Outcome], targets: dict[int, str]) -> list[tuple[str, float, float]]:
    """Per choice: its name, the equal error rate against held-out speech in percent, median seconds of own speech."""
    tests = [(one.name, print_) for one in corpus.talkers() for held in one.held_out if (print_ := _printed(held))]
    rows = []
    for at, choice in enumerate(("mined", "first 24 s", "24 s anywhere")):
        same: list[float] = []
        different: list[float] = []
        for outcome in outcomes:
            enrolled = outcome.prints[at][0]
            voice_of = known([enrolled]) if enrolled else None
            for name, print_ in tests:
                likeness = compare(voice(), print_, voice_of).score if voice_of else -1.0
                (same if name == targets[outcome.number] else different).append(likeness)
        seconds = statistics.median(outcome.prints[at][1] for outcome in outcomes)
        rows.append((choice, equal_error_rate(same, different), seconds))
    return rows


def interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    share, z2 = hits / count, _Z**2 / count
    middle, half = share + z2 / 2, _Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count))
    return (middle - half) / (1 + z2), (middle + half) / (1 + z2)


def shown(hits: int, count: int) -> str:
    """A share with its interval, as people read it."""
    low, high = interval(hits, count)
    return f"{hits} of {count} = {hits / max(count, 1):.1%} ({low:.1%} to {high:.1%})"


def main() -> None:
    """Run the bench."""
    each = _QUICK if os.environ.get("QUICK") else _EACH
    corpus.talkers(), corpus.music()  # before the children do
    cases = [(kind, number) for kind in KINDS for number in range(each)]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool, steps(quiet=False) as progress:
        progress.total("mining", len(cases))
        outcomes = []
        for outcome in pool.map(judged, cases, chunksize=2):
            outcomes.append(outcome)
            progress.step(outcome.kind)
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        talkers = range(2 if os.environ.get("QUICK") else len(corpus.talkers()))
        graded = [one for found in pool.map(predictor.foretold, talkers) for one in found]
        heard = list(pool.map(duplicates.heard, range(each), chunksize=2))
    bars = [*_windows(by_kind), *_defects(by_kind), *_speech(by_kind), *_verification(by_kind["one channel"])]
    bars += [*_swaps(by_kind["one channel"]), *_duplicates(heard)]
    quality = _grades(graded)
    report.bars("the bars", bars)
    report.write(
        _REPORT,
        bars,
        quality=quality,
        runs=[_told(outcome) for outcome in outcomes],
        versions=report.versions("av", "numpy", "onnxruntime"),
    )


def _windows(by_kind: dict[str, list[Outcome]]) -> list[Bar]:
    rows, bars = [], []
    for kind, target in zip(_CALLS, (0.99, 0.95), strict=True):
        for what, shares in (
            ("most speech", [one.share for one in by_kind[kind]]),
            ("known voice", [one.known_share for one in by_kind[kind]]),
        ):
            mined = [share for share in shares if share is not None]
            right = sum(share >= _RIGHT for share in mined)
            rows.append([f"{kind}, by {what}", shown(right, len(mined)), f"{len(shares) - len(mined)}"])
            bars.append(Bar(f"right voice, {kind}, by {what}", right / max(1, len(mined)), target, "share"))
    report.table("windows of the right voice: 95 % of the speech in it and more", ["calls", "RIGHT", "REFUSED"], rows)
    return bars


def _defects(by_kind: dict[str, list[Outcome]]) -> list[Bar]:
    rows, bars = [], []
    for kind in _DEFECTS:
        hits = sum(one.right for one in by_kind[kind])
        missed = Counter(one.code for one in by_kind[kind] if not one.right)
        rows.append([kind, shown(hits, len(by_kind[kind])), ", ".join(f"{n} {code}" for code, n in missed.items())])
        bars.append(Bar(f"found: {kind}", hits / len(by_kind[kind]), 0.95, "share"))
    for kind in _WITHIN:
        hits = sum(bool(one.found) for one in by_kind[kind])
        rows.append([kind, shown(hits, len(by_kind[kind])), ""])
        bars.append(Bar(f"found: {kind}", hits / len(by_kind[kind]), 0.95, "share"))
    clean = [one for kind in _CLEAN for one in by_kind[kind]]
    alarms = Counter(one.code for one in clean if not one.right)
    false = sum(alarms.values())
    rows.append(["false alarms", shown(false, len(clean)), ", ".join(f"{n} {code}" for code, n in alarms.items())])
    bars.append(Bar("false alarms on clean recordings", false / len(clean), 0.02, "share", "at most"))
    report.table("defects that were planted, found by their code", ["defect", "FOUND", "else"], rows)
    return bars


def _speech(by_kind: dict[str, list[Outcome]]) -> list[Bar]:
    rows, bars = [], []
    for kind in _CLEAN:
        off = [abs(one.speech - 1) for one in by_kind[kind] if one.speech is not None]
        if off:
            limit = 0.05 if kind in {"clean wide", "clean mp3", "clean opus"} else 0.10
            inside = sum(one <= limit for one in off)
            median, most = statistics.median(off), float(np.quantile(off, 0.9))
            rows.append([kind, f"{median:.1%}", f"{most:.1%}", shown(inside, len(off))])
            bars.append(Bar(f"seconds of speech off, {kind}, median", median, limit, "share", "at most"))
    columns = ["recording", "MEDIAN OFF", "90 % WITHIN", "WITHIN THE LIMIT"]
    report.table("seconds of speech against energy labels", columns, rows)
    return bars


def _verification(outcomes: list[Outcome]) -> list[Bar]:
    targets = {one.number: case(one.kind, one.number).call.target for one in outcomes}
    rows = verified(outcomes, targets)
    report.table(
        "what is enrolled of a call on one channel, verified with held-out speech",
        ["choice", "EER", "OWN SPEECH"],
        [[name, f"{rate:.2f} %", f"{seconds:.1f} s"] for name, rate, seconds in rows],
    )
    (_, mined, mined_s), *others = rows
    return [
        *(Bar(f"EER mined less {name}", mined - rate, 0.0, "%", "at most") for name, rate, _ in others),
        *(Bar(f"speech mined less {name}", mined_s - seconds, 0.0, "s") for name, _, seconds in others),
    ]


def _swaps(outcomes: list[Outcome]) -> list[Bar]:
    """What was mined of a call held against what is known of its person, and of everybody else, as before a PATCH."""
    targets = {one.number: case(one.kind, one.number).call.target for one in outcomes}
    voices = {talker.name: _known_voice(talker.name) for talker in corpus.talkers()}
    alarms: list[bool] = []
    found: list[bool] = []
    for outcome in outcomes:
        mined = outcome.prints[0][0]
        for name, known_voice in voices.items():
            if mined and known_voice:
                likeness = compare(voice(), mined, known_voice)
                is_other = likeness.score < (SAME_SPEAKER_NARROW if likeness.narrow_band else SAME_SPEAKER_WIDE)
                (alarms if name == targets[outcome.number] else found).append(is_other)
    rows = [
        ["another's voice under the id", shown(sum(found), len(found))],
        ["false alarms", shown(sum(alarms), len(alarms))],
    ]
    report.table("different_voice, by the fixed limits", ["swap", "FOUND"], rows)
    return [
        Bar("found: different_voice", sum(found) / max(1, len(found)), 0.95, "share"),
        Bar("false alarms of different_voice", sum(alarms) / max(1, len(alarms)), 0.02, "share", "at most"),
    ]


def _duplicates(heard: Sequence[duplicates.Heard]) -> list[Bar]:
    (known, copies), (mistaken, others) = duplicates.counted(heard)
    rows = [["the same call again", shown(known, copies)], ["another call of the two", shown(mistaken, others)]]
    report.table("duplicate_sample, through codecs, begun later, at another level", ["recording", "TAKEN"], rows)
    return [
        Bar("found: duplicate_sample", known / max(1, copies), 0.95, "share"),
        Bar("false alarms of duplicate_sample", mistaken / max(1, others), 0.02, "share", "at most"),
    ]


def _grades(graded: Sequence[predictor.Foretold]) -> dict[str, object]:
    rho = predictor.rank_correlation((one.predicted, one.score) for one in graded)
    table = predictor.confusion(graded)
    columns = ["grade", *(f"UNDER {cut}" for cut in predictor.CUTS), f"{predictor.CUTS[-1]} AND OVER"]
    title = f"{len(graded)} samples by grade and by score with held-out speech; rank correlation {rho:.2f}"
    report.table(title, columns, [[g, *map(str, row)] for g, row in zip(predictor.GRADES, table, strict=True)])
    return {"rank_correlation": rho, "grades": predictor.GRADES, "cuts": predictor.CUTS, "confusion": table}


def _told(outcome: Outcome) -> dict[str, object]:
    kept = ("kind", "number", "code", "right", "share", "known_share", "found", "speech")
    return {name: getattr(outcome, name) for name in kept}


if __name__ == "__main__":
    main()
