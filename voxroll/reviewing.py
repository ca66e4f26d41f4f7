"""A plan as somebody reviews it: whom to listen to first, and the sums of what was decided."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from voxroll.plan_file import Decision, Entry

SHOWN = 25  # people on a page
_ORDER = ("different_voice", "same_voice_other_id", "short", "poor_grade")  # what weighs most first


@dataclass(frozen=True)
class Review:
    """The lines of a plan, looked at as people."""

    entries: Sequence[Entry]

    @cached_property
    def _everybody(self) -> list[list[Entry]]:
        """The recordings of each person, those first whom to doubt most; else in the order of the plan."""
        people: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            people[entry.speaker_id].append(entry)
        return sorted(people.values(), key=_weight)

    def people(self, show: str) -> list[list[Entry]]:
        """The recordings of each person who is `doubtful`, `decided`, or of `all`."""
        match show:
            case "doubtful":
                return [one for one in self._everybody if any(entry.doubts for entry in one)]
            case "decided":
                return [one for one in self._everybody if any(entry.decision is not Decision.OPEN for entry in one)]
            case _:
                return self._everybody

    def found(self, part: str) -> list[list[Entry]]:
        """The recordings of each person whose id holds a text, in any case."""
        return [one for one in self._everybody if part.casefold() in one[0].speaker_id.casefold()]

    def first_open(self) -> int:
        """The place, from 0, of the first person in doubt of whom nothing was decided; 0 if there is none."""
        doubtful = enumerate(self.people("doubtful"))
        return next((number for number, one in doubtful if any(map(_is_open, one))), 0)

    def speech_s(self, speaker_id: str) -> float:
        """Seconds of speech in the samples of a person that were not rejected."""
        kept = (one for one in self.entries if one.speaker_id == speaker_id and one.decision is not Decision.REJECTED)
        return sum(one.speech_s for one in kept)

    def counts(self) -> dict[str, int]:
        """People and recordings in doubt, and recordings by decision; `open` are those that are in doubt still."""
        found = Counter(entry.decision for entry in self.entries)
        return {
            "people": len(self._everybody),
            "doubtful": len(self.people("doubtful")),
            "open": sum(map(_is_open, self.entries)),
            **{str(one): found[one] for one in (Decision.ACCEPTED, Decision.REJECTED, Decision.MOVED)},
        }

    def sums(self) -> str:
        """The same in words."""
        told = self.counts()
        decided = ", ".join(f"{told[name]:,} {name}" for name in ("accepted", "rejected", "moved"))
        people = f"{told['people']:,} people, {told['doubtful']:,} in doubt"
        return f"{people}; recordings: {told['open']:,} to decide, {decided}"


def _is_open(entry: Entry) -> bool:
    return bool(entry.doubts) and entry.decision is Decision.OPEN


def _weight(entries: Sequence[Entry]) -> int:
    codes = {code for entry in entries for code in entry.doubts}
    return next((place for place, code in enumerate(_ORDER) if code in codes), len(_ORDER) + (not codes))
