"""Before a sample costs an API call: is it good enough, and if it is long, which part of it is best.

`mine` looks through a recording of any length for the stretches to hand in, best first; the workshop takes the first.
`inspect` takes a sample as it was handed in and cuts nothing; the engine uses it. Both apply the contract's rules, and
refuse with the measured value, the limit and the way out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.voice import measures as measuring
from engine.voice import refusals, windows
from engine.voice.failure import VoiceFailure
from engine.voice.legs import Leg, single, split
from engine.voice.likeness import KnownVoice
from engine.voice.measures import Measures, is_narrow_band
from engine.voice.recording import Recording, narrowed
from engine.voice.rules import Rules
from engine.voice.samples import floats
from engine.voice.scan import scan
from engine.voice.speech import Span, merged, without
from engine.voice.talkers import ALIKE, Talker, Talkers, hear, meant, over_threshold, talkers
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint, Vector, predicted_score

__all__ = ["Found", "Measures", "Refused", "Rules", "Search", "Window", "choose", "inspect", "mine"]

_TRIES = 3  # stretches that are looked at beyond those that are wanted
_HEARD_S = 12.0  # of a leg are compared with the known voice, and need
_HEARD_LEAST_S = 3.0

_MANY = frozenset({"several_voices", "overlapped"})

Read = Callable[[int | None], Recording]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for.

    Attributes:
        channel: the one the speaker is on; None to find out: the one with the known voice, else with most speech.
        known: the speaker's voice, if it is known already.
        want: stretches to return, if there are so many; a few more are looked at.
    """

    channel: int | None = None
    known: KnownVoice | None = None
    want: int = 1


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch that will do.

    Attributes:
        start_s: in seconds from the beginning of the recording.
        end_s: likewise.
        channel: it is on; None for the mean of all.
        measures: of it.
        score: what a voiceprint made of it alone is expected to score (`voiceprint.predicted_score`).
    """

    start_s: float
    end_s: float
    channel: int | None
    measures: Measures
    score: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A stretch that was looked at and will not do."""

    start_s: float
    end_s: float
    failure: VoiceFailure


@dataclass(frozen=True, slots=True)
class Found:
    """What a recording holds.

    Attributes:
        duration_s: seconds of it that were looked at.
        truncated: it is longer than that.
        leg: the channel that was searched.
        recording: its sound.
        legs: all channels; the one alone where they hold the same sound.
        spans: where its speaker speaks.
        music: where there is music.
        tones: where there are tones.
        others: where somebody else is to be heard.
        people: who speak in it, as far as that was looked into.
        windows: what can be handed in, best first; they may share up to half of their length.
        refused: better-looking stretches that will not do.
        refusal: why there are no windows; None where there are.
    """

    duration_s: float
    truncated: bool
    leg: Leg
    recording: Recording
    legs: tuple[Leg, ...]
    spans: tuple[Span, ...]
    music: tuple[Span, ...]
    tones: tuple[Span, ...]
    others: tuple[Span, ...] = ()
    people: int = 1
    windows: tuple[Window, ...] = ()
    refused: tuple[Refused, ...] = ()
    refusal: VoiceFailure | None = None


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
        read: gives the recording's channel of that number, or the mean of all for None.
        rules: what a stretch must be.
        search: what is looked for; the best stretch, if nothing else is said.

    Raises:
        VoiceFailure: the recording can't be read, or has no such channel.
    """
    search = search or Search()
    kept = _Last(read)
    legs = _legs(voice, kept, search.channel)
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
    refusal = refusals.too_short(recording.duration_s, rules) or refusals.speechless(leg.scan)
    if refusal:
        return replace(found, refusal=refusal)
    if len(legs) > 1 or recording.duration_s <= rules.max_s:  # one voice, most likely: who it is costs ten times more
        quick = _searched(voice, recording, rules, found, want=search.want)
        if not quick.refusal or quick.refusal.code not in _MANY:
            return quick
    return _listened(voice, recording, rules, found, search)


def inspect(voice: Voice, recording: Recording, rules: Rules) -> tuple[Measures, SamplePrint]:
    """Measure a sample as it was handed in, and make its print.

    Only what leaves nothing to enroll is refused; noise, several voices and the like are measured, for who hands a
    sample in has decided.

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
    measured = measuring.with_voices(voice, found, samples, spoken)
    narrow = measured.narrow_band
    narrow_vector = voice.embed_narrow(spoken if narrow else narrowed(spoken), line=measured.line)
    vector = narrow_vector if narrow else voice.embed(spoken)
    return measured, replace(_print(measured, vector), narrow_vector=narrow_vector)


def _listened(voice: Voice, recording: Recording, rules: Rules, found: Found, search: Search) -> Found:  # noqa: PLR0917
    """Tell apart who speaks, and search the speech of who is meant; more finely while several seem to be one."""
    longest = max(found.spans, key=lambda span: span.duration_s)
    narrow = is_narrow_band(recording.between(longest.start_s, min(longest.end_s, longest.start_s + _HEARD_S)))
    heard = hear(voice, recording.samples, narrow_band=narrow)
    result = found
    for alike in ALIKE:
        apart = talkers(voice, recording.samples, heard, alike=alike)
        one = meant(voice, apart.people, search.known, narrow_band=narrow)
        result = _searched(voice, recording, rules, _of_one(found, apart, one), want=search.want)
        if not result.refusal or result.refusal.code not in _MANY:
            break
    return result


def _of_one(found: Found, apart: Talkers, one: Talker | None) -> Found:
    """Keep the speech of the one who is meant, take that of others for what spoils a sample."""
    others = [*found.others, *apart.overlaps]
    if len(apart.people) > 1:
        others += apart.unclear
        others += [span for person in apart.people if person is not one for span in person.spans]
    spoilt = merged(others)
    return replace(found, spans=without(found.spans, spoilt), others=spoilt, people=max(1, len(apart.people)))


def _searched(voice: Voice, recording: Recording, rules: Rules, found: Found, *, want: int) -> Found:
    """Look at the best stretches until so many will do, or a few more will not."""
    usable: list[Window] = []
    refused: list[Refused] = []
    for at in _ranked(found, rules, most=want + _TRIES):
        verdict = _judged(voice, recording, rules, at=at, found=found)
        if isinstance(verdict, Window):
            usable.append(verdict)
        else:
            refused.append(Refused(at.start_s, at.end_s, verdict))
        if len(usable) == want:
            break
    refusal = None
    if not usable:  # of the best one
        refusal = refused[0].failure if refused else refusals.nobody_alone(found.others, found.leg.spans())
    return replace(found, windows=tuple(usable), refused=tuple(refused), refusal=refusal)


def _print(found: Measures, vector: Vector) -> SamplePrint:
    return SamplePrint(
        vector=vector,
        speech_s=found.speech_s,
        audio_s=found.duration_s,
        snr_db=found.snr_db,
        clip_ratio=found.clip_ratio,
        consistency=found.consistency,
        narrow_band=found.narrow_band,
        line=found.line,
    )


class _Last:
    """Reads channels, and keeps the one that was read last: half an hour of it is 58 MB.

    A recording of one channel is read once, for that one is the mean of all too.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._channel: int | None = -1
        self._recording: Recording | None = None

    def read(self, channel: int | None) -> Recording:
        if self._recording and self._recording.channels == 1 and not channel:
            return self._recording  # its one channel is the mean of all
        if self._recording is None or channel != self._channel:
            self._recording = None  # before the next one takes its memory
            self._recording, self._channel = self._read(channel), channel
        return self._recording


def _legs(voice: Voice, kept: _Last, channel: int | None) -> tuple[Leg, ...]:
    """Every channel, or the mean of all where they hold the same sound and none is named."""
    first = kept.read(channel or 0)
    if first.channels == 1:
        return (single(scan(voice, first.samples), channel=channel),)
    legs = split([scan(voice, kept.read(number).samples) for number in range(first.channels)])
    if legs:
        return legs
    return (single(scan(voice, kept.read(channel).samples), channel=channel),)


def _chosen(voice: Voice, kept: _Last, legs: Sequence[Leg], search: Search) -> Leg:
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


def _likeness(voice: Voice, kept: _Last, leg: Leg, known: KnownVoice) -> float:
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


def _ranked(found: Found, rules: Rules, *, most: int) -> list[Span]:
    seen = found.leg.scan
    ranked = windows.ranked(
        found.spans,
        duration_s=found.duration_s,
        lengths=windows.Lengths(rules.min_s, rules.best_min_s, rules.best_max_s),
        clipped=seen.clipped,
        spoilt=merged([*found.music, *found.tones, *found.others]),
        most=most,
    )
    return [Span(round(at.start_s, 3), round(min(at.end_s, found.duration_s), 3)) for at in ranked]


def _judged(voice: Voice, recording: Recording, rules: Rules, *, at: Span, found: Found) -> Window | VoiceFailure:
    samples = recording.between(at.start_s, at.end_s)
    sound, spoken = measuring.sound(scan(voice, samples), samples)
    refusal = refusals.too_little_speech(
        sound, at, rules, spans=found.spans, truncated=found.truncated, people=found.people
    ) or refusals.unfit_sound(sound, at, rules)
    if refusal:
        return refusal
    measured = measuring.with_voices(voice, sound, samples, spoken)
    score = predicted_score([_print(measured, np.zeros(0, np.float32))])
    refusal = refusals.unfit_voices(measured, at, people=found.people)
    return refusal or Window(at.start_s, at.end_s, found.leg.channel, measured, score)
