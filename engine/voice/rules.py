"""The contract's rules for a sample: how long it may be and how much speech it must hold."""

from dataclasses import dataclass
from typing import Literal, Self


@dataclass(frozen=True, slots=True)
class Rules:
    """What a sample must be, in seconds; the bounds themselves pass."""

    min_s: float = 6.0
    max_s: float = 30.0
    best_min_s: float = 12.0
    best_max_s: float = 24.0
    min_speech_s: float = 4.0

    @classmethod
    def for_profile(cls, profile: Literal["2022", "2024"]) -> Self:
        """The rules of one generation of the contract: 12 to 24 s are best in 2022's, 12 to 30 s in 2024's."""
        return cls() if profile == "2022" else cls(best_max_s=30.0)
