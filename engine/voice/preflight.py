"""Before a sample costs an API call: is it good enough, and if it is long, which part of it is best.

`mine` looks through a recording of any length for the stretches to hand in, best first; the workshop takes the first.
`inspect` takes a sample as it was handed in and cuts nothing; the engine uses it. Both apply the contract's rules, and
refuse with the measured value, the limit and the way out.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from engine.voice import measures as measuring
from engine.voice import refusals
from engine.voice.found import Found, Refused, Search, Window
from engine.voice.legs import Leg, single, split
from engine.voice.likeness import KnownVoice, both_bands
from engine.voice.measures import Measures, Sound
from engine.voice.mining import MANY_VOICES, Miner, hearing_of, printed
from engine.voice.recording import Recording
from engine.voice.rules import Rules
from engine.voice.samples import floats
from engine.voice.scan import scan
from engine.voice.speech import Span
from engine.voice.talkers import over_threshold
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint

__all__ = [
    "Found",
    "Last",
    "Measures",
    "Refused",
    "Rules",
    "Search",
    "Window",
    "choose",
    "inspect",
    "legs_of",
    "mine",
]

_HEARD_S = 12.0  # of a leg are compared with the known voice, and need
_HEARD_LEAST_S = 3.0

_Part = TypeVar("_Part", Window, Refused)
Read = Callable[[int | None], Recording]


def choose(voice: Voice, recording: Recording, rules: Rules) -> Window:
    """The best stretch of a recording of one channel.

    Raises:
        VoiceFailure: as `Found.refusal`.
    """
    found = mine(voice, lambda _channel: recording, rules)
    if found.refusal:
        raise found.refusal
    return found.windows[0]


def mine(voice: Voice, read: Read, rules: Rules, search: Search | None = None) -> Found:
    """Find the best stretches of one voice: continuous, of the best length where there is one, else shorter.

    Args:
        voice: the models.
        read: gives the recording's channel of that number, or the mean of all for None; only what it gives is
            searched, which may be a part of the recording.
        rules: what a stretch must be.
        search: what is looked for; the best stretch, if nothing else is said.

    Raises:
        VoiceFailure: the recording can't be read, or has no such channel.
    """
    search = search or Search()
    kept = Last(read)
    legs = legs_of(voice, kept, search.channel)
    leg = _chosen(voice, kept, legs, search)
    recording = kept.read(leg.channel)
    found = Found(
        duration_s=recording.duration_s,
        truncated=recording.truncated,
        leg=leg,
        recording=recording,
        legs=legs,
        spans=leg.spans(),
        others=leg.leaked_spans(),
        music=leg.scan.music_spans(),
        tones=leg.scan.tone_spans(),
    )
    start_s = recording.start_s
    refusal = refusals.too_short(recording.duration_s, rules) or refusals.speechless(leg.scan, start_s=start_s)
    if refusal:
        return _placed(replace(found, refusal=refusal))
    hearing = hearing_of(voice, recording, found.spans)
    miner = Miner(voice=voice, recording=recording, rules=rules, search=search, hearing=hearing)
    if len(legs) > 1 or recording.duration_s <= rules.max_s:  # one voice, most likely: no look is needed
        quick = miner.searched(found)
        if not quick.refusal or quick.refusal.code not in MANY_VOICES:
            return _placed(quick)
    return _placed(miner.listened(found))


def inspect(voice: Voice, recording: Recording, rules: Rules) -> tuple[Sound, SamplePrint]:
    """Measure a sample as it was handed in, and make its print.

    Only what leaves nothing to enroll is refused, for who hands a sample in has decided. Several voices are not looked
    for.

    Raises:
        VoiceFailure: too_short, too_long, silent, music, synthetic_tone, speech_too_short.
    """
    samples = floats(recording.samples)
    refusal = refusals.too_short(recording.duration_s, rules) or refusals.too_long(
        recording.duration_s, rules, truncated=recording.truncated
    )
    if refusal:
        raise refusal
    seen = scan(voice, samples)
    found, spoken = measuring.sound(seen, samples)
    whole = Span(0.0, recording.duration_s)
    refusal = refusals.speechless(seen) or refusals.too_little_speech(found, whole, rules)
    if refusal:
        raise refusal
    vector, narrow_vector = both_bands(voice, spoken, narrow=found.narrow_band, line=found.line)
    print_ = printed(found, vector, consistency=measuring.consistency(voice, spoken))
    return found, replace(print_, narrow_vector=narrow_vector)


def _placed(found: Found) -> Found:
    """The same, its times counted from the beginning of the whole recording."""
    start_s = found.recording.start_s
    if not start_s:
        return found

    def later(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(span.later(start_s) for span in spans)

    def moved(one: _Part) -> _Part:
        at = Span(one.start_s, one.end_s).later(start_s)
        return replace(one, start_s=at.start_s, end_s=at.end_s)

    return replace(
        found,
        spans=later(found.spans),
        music=later(found.music),
        tones=later(found.tones),
        others=later(found.others),
        windows=tuple(map(moved, found.windows)),
        refused=tuple(map(moved, found.refused)),
    )


class Last:
    """Reads channels, and keeps the one that was read last: half an hour of it is 58 MB.

    A recording of one channel is read once, for that one is the mean of all too.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._channel: int | None = -1
        self._recording: Recording | None = None

    def read(self, channel: int | None) -> Recording:
        """The channel of that number; the mean of all for None."""
        if self._recording and self._recording.channels == 1 and not channel:
            return self._recording  # its one channel is the mean of all
        if self._recording is None or channel != self._channel:
            self._recording = None  # before the next one takes its memory
            self._recording, self._channel = self._read(channel), channel
        return self._recording


def legs_of(voice: Voice, kept: Last, channel: int | None) -> tuple[Leg, ...]:
    """Every channel, or the mean of all where they hold the same sound and none is named."""
    first = kept.read(channel or 0)
    if first.channels == 1:
        return (single(scan(voice, first.samples), channel=channel),)
    legs = split([scan(voice, kept.read(number).samples) for number in range(first.channels)])
    if legs:
        return legs
    return (single(scan(voice, kept.read(channel).samples), channel=channel),)


def _chosen(voice: Voice, kept: Last, legs: Sequence[Leg], search: Search) -> Leg:
    """The channel that was named, else the one with the known voice, else the one with the most speech."""
    if len(legs) == 1:
        return legs[0]
    if search.channel is not None:
        return legs[search.channel]
    most = max(legs, key=lambda leg: leg.speech_s)
    if search.known is None:
        return most
    scores = {leg.channel: _likeness(voice, kept, leg, search.known) for leg in legs}
    best = max(legs, key=lambda leg: scores[leg.channel])
    return best if scores[best.channel] >= 0 else most


def _likeness(voice: Voice, kept: Last, leg: Leg, known: KnownVoice) -> float:
    """How far the voice on a channel is over the threshold of being the known one; negative under it."""
    longest = sorted(leg.spans(), key=lambda span: span.duration_s, reverse=True)
    recording, room = kept.read(leg.channel), _HEARD_S
    pieces = []
    for span in longest:
        pieces.append(recording.between(span.start_s, min(span.end_s, span.start_s + room)))
        room -= span.duration_s
        if room <= 0:
            break
    if _HEARD_S - room < _HEARD_LEAST_S:
        return -1.0
    return over_threshold(voice, np.concatenate(pieces), known)
