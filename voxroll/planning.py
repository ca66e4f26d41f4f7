"""What a manifest would come to: who is ready, who is short and by how much, which calls that takes. Nothing is sent.

In: rows with their verdicts, one by one. Kept: a few numbers for each person, so that the manifest may be long.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from engine.voice.voiceprint import COMPLETE_FROM_S
from voxroll.asked import is_address
from voxroll.checking import Verdict
from worker.contract.rows import Row


class Outlook(StrEnum):
    """What is to be expected of a person."""

    READY = "ready"
    SHORT = "short"
    UNSEEN = "unseen"
    UNREADABLE = "unreadable"
    BLOCKED = "blocked"


@dataclass(slots=True)
class Person:
    """One speaker of a manifest.

    Attributes:
        speech_s: seconds of speech in the best stretch of each usable recording.
        unseen: recordings that lie at an address, where nobody has looked.
        codes: why the others will not do.
        reason: the first of these in words.
    """

    speech_s: list[float] = field(default_factory=list)
    unseen: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    reason: str = ""

    def best_s(self, samples: int) -> list[float]:
        """Speech of those that would be handed in, most first."""
        return sorted(self.speech_s, reverse=True)[:samples]

    def short_by_s(self, samples: int) -> float:
        """Seconds of speech that are missing to a complete enrollment; 0 if none are."""
        return max(0.0, COMPLETE_FROM_S - sum(self.best_s(samples)))

    def outlook(self, samples: int) -> Outlook:
        """What is to be expected."""
        if self.speech_s and not self.short_by_s(samples):
            return Outlook.READY
        if self.unseen:
            return Outlook.UNSEEN
        if self.speech_s:
            return Outlook.SHORT
        return Outlook.BLOCKED if set(self.codes) == {"no_consent"} else Outlook.UNREADABLE

    def fewest(self, samples: int) -> int:
        """Samples after which the enrollment is complete, or all there are."""
        total, number = 0.0, 0
        for one in self.best_s(samples):
            if total >= COMPLETE_FROM_S:
                break
            total, number = total + one, number + 1
        return number + min(self.unseen, samples - number, 1 if total < COMPLETE_FROM_S else 0)

    def most(self, samples: int) -> int:
        """Samples at most."""
        return min(samples, len(self.speech_s) + self.unseen)


@dataclass(slots=True)
class Planning:
    """Adds up.

    Attributes:
        samples: of one speaker at most.
        persons: by id.
        nobody: why rows will not do that name nobody.
    """

    samples: int
    persons: dict[str, Person] = field(default_factory=dict)
    nobody: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def add(self, row: object, verdict: Verdict) -> bool:
        """Add a row; whether it is worth a run."""
        self.rows += 1
        if not isinstance(row, Row) or row.speaker_id is None:
            self.nobody["bad_row"] += 1
            return False
        person = self.persons.setdefault(row.speaker_id, Person())
        if is_address(row.source) and row.consent is not False:
            person.unseen += 1
            return True
        if verdict.refusal:
            person.codes[verdict.refusal.code] += 1
            person.reason = person.reason or str(verdict.refusal)
            return False
        person.speech_s.append(verdict.windows[0].measures.speech_s)
        return True

    def outlooks(self) -> dict[str, int]:
        """How many persons are to be expected to come to what."""
        found = Counter(person.outlook(self.samples) for person in self.persons.values())
        return {str(outlook): found[outlook] for outlook in Outlook}

    def codes(self) -> Counter[str]:
        """Why rows will not do."""
        return sum((person.codes for person in self.persons.values()), self.nobody.copy())

    def unready(self) -> Iterator[tuple[str, Person]]:
        """Persons who are not ready."""
        for name, person in self.persons.items():
            if person.outlook(self.samples) is not Outlook.READY:
                yield name, person

    def document(self, *, calls: int, window: timedelta, price: float, scale: float = 1.0) -> dict[str, Any]:
        """The sums, wire names and all.

        Args:
            calls: that may be made in a window; 0: any number.
            window: their length.
            price: of one call; 0: not known.
            scale: persons in the manifest for each that was looked at.
        """
        creates = sum(person.most(self.samples) > 0 for person in self.persons.values())
        bounds = [
            sum(how(person, self.samples) for person in self.persons.values()) for how in (Person.fewest, Person.most)
        ]
        fewest, most = (round(number * scale) for number in bounds)
        hours = [
            round(number / calls * window.total_seconds() / 3600, 2) if calls else None for number in (fewest, most)
        ]
        return {
            "rows": self.rows,
            "speakers": self.outlooks(),
            "codes": dict(self.codes().most_common()),
            "calls": {"create": round(creates * scale), "fewest": fewest, "most": most},
            "hours": {"fewest": hours[0], "most": hours[1]},
            "price": {"fewest": round(fewest * price, 2), "most": round(most * price, 2)} if price else None,
            "scale": round(scale, 3),
        }
