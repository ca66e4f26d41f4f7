"""Whether the recordings of one person are of one voice: each is compared with those before it, as the worker does.

Prints are kept while more recordings of a person are to come, then one voice for each; nothing is written down.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np

from engine.voice import likeness
from engine.voice.likeness import Print
from engine.voice.voice import Voice
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE
from voxroll.alike import Crowd

_NO_SOUND = np.zeros(0, np.uint32)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A recording that is not like those before it."""

    score: float
    limit: float
    others: int

    def __str__(self) -> str:
        """Tell people."""
        before = "the one before" if self.others == 1 else f"the {self.others} before"
        return f"likeness {self.score:.2f} to {before}, {self.limit:.2f} needed; listen, one may be somebody else's"


@dataclass(slots=True)
class Agreement:
    """Compares.

    Attributes:
        voice: the models.
        to_come: recordings of each person that were not heard yet.
        crowd: everybody who was heard to the end.
    """

    voice: Voice
    to_come: dict[str, int]
    crowd: Crowd
    _heard: dict[str, list[Print]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, speaker_id: str, new: Print | None) -> Disagreement | None:
        """Take the next recording of a person in, None if it has no voice; what is wrong with it beside the others."""
        self.to_come[speaker_id] = self.to_come.get(speaker_id, 1) - 1
        before = self._heard[speaker_id]
        found = self._compared(new, before) if new and before else None
        if new and not found:
            before.append(replace(new, audio=_NO_SOUND, recording=_NO_SOUND))
        if self.to_come[speaker_id] <= 0 and (known := likeness.known(self._heard.pop(speaker_id, []))):
            self.crowd.add(speaker_id, known)
        return found

    def _compared(self, new: Print, before: list[Print]) -> Disagreement | None:
        known = likeness.known(before)
        if known is None:
            return None
        compared = likeness.compare(self.voice, new, known)
        limit = SAME_SPEAKER_NARROW if compared.narrow_band else SAME_SPEAKER_WIDE
        return Disagreement(compared.score, limit, len(before)) if compared.score < limit else None
