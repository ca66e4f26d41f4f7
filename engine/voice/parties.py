"""A call with one speaker on each channel: who speaks when is when each channel speaks.

In: the channels. Out: the parties, with what each says; what leaks from one channel into another is nobody's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from engine.voice.labels import Stretch
from engine.voice.legs import Leg, split
from engine.voice.recording import Recording
from engine.voice.scan import scan
from engine.voice.speech import CHUNK_S, Span
from engine.voice.voice import Voice

_LEAST_S = 0.5  # of speech on a channel, or nobody is on it


@dataclass(frozen=True, slots=True)
class Party:
    """Who is on one channel, and where that one speaks."""

    channel: int
    spans: tuple[Span, ...]
    said: tuple[Stretch, ...]


def parties(voice: Voice, read: Callable[[int | None], Recording]) -> tuple[Party, ...] | None:
    """Who is on which channel; None where there is but one channel or no sound, or all hold the same sound.

    One channel is held at a time: half an hour of it takes 58 MB.
    """
    first = read(0)
    if first.channels == 1 or not len(first.samples):
        return None
    count = first.channels
    scans = [scan(voice, first.samples)]
    del first
    scans += [scan(voice, read(number).samples) for number in range(1, count)]
    legs = split(scans)
    if not legs:
        return None
    speaking = [leg for leg in legs if leg.speech_s >= _LEAST_S]
    return tuple(Party(leg.channel or 0, leg.spans(), tuple(_said(leg, n))) for n, leg in enumerate(speaking))


def _said(leg: Leg, person: int) -> list[Stretch]:
    """The spans of a channel; sure is the mean probability of speech in them."""
    chance = leg.scan.chance
    found = []
    for span in leg.spans():
        here = chance[round(span.start_s / CHUNK_S) : max(1, round(span.end_s / CHUNK_S))]
        found.append(Stretch(span.start_s, span.end_s, person, float(here.mean())))
    return found
