"""What a manifest would come to: who is ready, who is short and by how much, which calls that takes. Nothing is sent.

In: rows with their verdicts, one by one. Kept: a few numbers for each person, so that the manifest may be long.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import chain
from statistics import median
from types import MappingProxyType
from typing import Any

from engine.voice.voiceprint import COMPLETE_FROM_S
from voxroll.alike import Alike
from voxroll.asked import UNLOOKED, is_address
from voxroll.beforehand import BLOCKED, ENROLLED, Beforehand
from voxroll.checking import Verdict
from voxroll.documents import Standing
from worker.contract.rows import Row

MOST_BAD = 100  # rows that can't be read are shown; all are counted
_NOTHING: Mapping[str, Any] = MappingProxyType({})  # of most people there is nothing to say
NOBODY = Standing(speaker_id="", state="unknown")


class Outlook(StrEnum):
    """What is to be expected of a person."""

    READY = "ready"
    ENROLLED = "enrolled"
    DOUBTFUL = "doubtful"
    SHORT = "short"
    UNSEEN = "unseen"
    UNREADABLE = "unreadable"
    BLOCKED = "blocked"


def _unowned(row: object) -> str:
    return f"line {row.line}, speakerId: is missing; give an id" if isinstance(row, Row) else str(row)


@dataclass(slots=True)
class Person:
    """One speaker of a manifest.

    Attributes:
        speech_s: seconds of speech in the best stretch of each usable recording.
        unseen: recordings that lie at an address, where nobody has looked.
        codes: why the others will not do.
        reason: the first of these in words.
        doubts: codes that say that it may be somebody else, and why.
        standing: how the front door says the person stands.
    """

    speech_s: list[float] = field(default_factory=list)
    unseen: int = 0
    codes: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    reason: str = ""
    doubts: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    standing: Standing = NOBODY

    def refuse(self, code: str, why: str) -> None:
        """Count a recording that will not do."""
        self.codes = {**self.codes, code: self.codes.get(code, 0) + 1}
        self.reason = self.reason or why

    def doubt(self, code: str, why: str) -> None:
        """Note that it may be somebody else."""
        self.doubts = {**self.doubts, code: why}
        self.reason = self.reason or why

    def best_s(self, samples: int) -> list[float]:
        """Speech of those that would be handed in, most first."""
        return sorted(self.speech_s, reverse=True)[:samples]

    def short_by_s(self, samples: int) -> float:
        """Seconds of speech that are missing to a complete enrollment; 0 if none are."""
        return max(0.0, COMPLETE_FROM_S - self.standing.total_speech_duration - sum(self.best_s(samples)))

    def outlook(self, samples: int) -> Outlook:
        """What is to be expected."""
        if self.codes and set(self.codes) <= BLOCKED and not self.speech_s and not self.unseen:
            return Outlook.BLOCKED
        if self.doubts:
            return Outlook.DOUBTFUL
        if self.standing.enrollment_complete:
            return Outlook.ENROLLED
        if self.speech_s and not self.short_by_s(samples):
            return Outlook.READY
        if self.unseen:
            return Outlook.UNSEEN
        return Outlook.SHORT if self.speech_s else Outlook.UNREADABLE

    def doubted(self, samples: int) -> dict[str, str]:
        """Why somebody should listen before any of the recordings is handed in: codes and words."""
        found = {code: why for code, why in self.doubts.items() if code not in self.codes}  # else said of one recording
        missing = self.short_by_s(samples)
        if self.speech_s and missing and not self.unseen and not self.standing.enrollment_complete:
            there = f"{COMPLETE_FROM_S - missing:.1f} s of speech in all, {COMPLETE_FROM_S:g} s needed"
            found["short"] = f"{there}; hand in more of other conversations"
        return found

    def fewest(self, samples: int) -> int:
        """Samples after which the enrollment is complete, or all there are."""
        if self.standing.enrollment_complete:
            return 0
        total, number = self.standing.total_speech_duration, 0
        for one in self.best_s(samples):
            if total >= COMPLETE_FROM_S:
                break
            total, number = total + one, number + 1
        return number + min(self.unseen, samples - number, 1 if total < COMPLETE_FROM_S else 0)

    def most(self, samples: int) -> int:
        """Samples at most."""
        return 0 if self.standing.goal_met else min(samples, len(self.speech_s) + self.unseen)


@dataclass(slots=True)
class Planning:
    """Adds up.

    Attributes:
        samples: of one speaker at most.
        known: what was known beforehand.
        persons: by id.
        nobody: why rows will not do that name nobody.
        bad: the first of these in words.
    """

    samples: int
    known: Beforehand = field(default_factory=Beforehand)
    persons: dict[str, Person] = field(default_factory=dict)
    nobody: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    rows: int = 0

    def add(self, row: object, verdict: Verdict, *, disagreement: object = None) -> bool:
        """Add a row, and how its voice disagrees with the person's others; whether it is worth a run."""
        self.rows += 1
        if not isinstance(row, Row) or row.speaker_id is None:
            self.nobody["bad_row"] += 1
            self.bad += [_unowned(row)] if len(self.bad) < MOST_BAD else []
            return False
        person = self._person(row.speaker_id)
        code = verdict.refusal.code if verdict.refusal else ""
        if code == ENROLLED:
            return True
        if disagreement:
            why = f"line {row.line}: {disagreement}"
            person.refuse("different_voice", why)
            person.doubt("different_voice", why)
            return True
        if code and not (code == UNLOOKED and is_address(row.source)):
            person.refuse(code, str(verdict.refusal))
            return False
        if verdict.windows:
            person.speech_s.append(verdict.windows[0].measures.speech_s)
        else:
            person.unseen += 1
        return True

    def suspect(self, alike: Alike) -> None:
        """Note that two people sound like one: either may be the other."""
        for name, other in ((alike.one, alike.other), (alike.other, alike.one)):
            told = f"likeness {alike.score:.2f} to {other}, less than {alike.threshold:.2f} needed"
            self.persons[name].doubt("same_voice_other_id", f"{told}; two people, or one under two ids?")

    def _person(self, speaker_id: str) -> Person:
        person = self.persons.get(speaker_id)
        if person is None:
            standing = self.known.standings.get(speaker_id, NOBODY)
            told = f"so the front door says; `voxroll why {speaker_id}` says of which sample"
            doubts = dict.fromkeys(standing.doubts, told) if standing.doubts else _NOTHING
            person = self.persons[speaker_id] = Person(doubts=doubts, standing=standing)
        return person

    def outlooks(self) -> dict[str, int]:
        """How many persons are to be expected to come to what."""
        found = Counter(person.outlook(self.samples) for person in self.persons.values())
        return {str(outlook): found[outlook] for outlook in Outlook}

    def codes(self) -> Counter[str]:
        """Why rows will not do."""
        found = self.nobody.copy()
        for person in self.persons.values():
            found.update(person.codes)
        return found

    def unready(self) -> Iterator[tuple[str, Person]]:
        """Persons who are not ready, those first of whom a person has to decide."""
        found: dict[Outlook, list[tuple[str, Person]]] = {outlook: [] for outlook in list(Outlook)[2:]}
        for name, person in self.persons.items():
            found.get(person.outlook(self.samples), []).append((name, person))
        return chain.from_iterable(found.values())

    def doubted(self) -> dict[str, dict[str, str]]:
        """Why somebody should listen, of those people alone of whom that is so."""
        found = ((name, person.doubted(self.samples)) for name, person in self.persons.items())
        return {name: doubts for name, doubts in found if doubts}

    def _short_by(self) -> dict[str, float] | None:
        short = [person for person in self.persons.values() if person.outlook(self.samples) is Outlook.SHORT]
        missing = [person.short_by_s(self.samples) for person in short]
        return {"median": round(median(missing), 1), "most": round(max(missing), 1)} if missing else None

    def document(self, *, calls: int, window: timedelta, price: float, scale: float = 1.0) -> dict[str, Any]:
        """The sums, wire names and all.

        Args:
            calls: that may be made in a window; 0: any number.
            window: their length.
            price: of one call; 0: not known.
            scale: persons in the manifest for each that was looked at.
        """
        new = (one for one in self.persons.values() if not one.standing.total_speech_duration)
        creates = sum(person.most(self.samples) > 0 for person in new)
        bounds = [
            sum(how(person, self.samples) for person in self.persons.values()) for how in (Person.fewest, Person.most)
        ]
        fewest, most = (round(number * scale) for number in bounds)
        hours = [
            round(number / calls * window.total_seconds() / 3600, 2) if calls else None for number in (fewest, most)
        ]
        bad = self.known.consents.bad if self.known.consents else ()
        return {
            "rows": self.rows,
            "speakers": self.outlooks(),
            "shortBy": self._short_by(),
            "codes": dict(self.codes().most_common()),
            "calls": {"create": round(creates * scale), "fewest": fewest, "most": most},
            "hours": {"fewest": hours[0], "most": hours[1]},
            "price": {"fewest": round(fewest * price, 2), "most": round(most * price, 2)} if price else None,
            "scale": round(scale, 3),
            "asked": not self.known.unasked,
            "unasked": self.known.unasked or None,
            "badConsents": len(bad),
            "badConsent": str(bad[0]) if bad else None,
        }
