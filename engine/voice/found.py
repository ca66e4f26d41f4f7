"""What is looked for in a recording, and what was found: plain values, no rule and no work in them."""

from dataclasses import dataclass

from engine.voice.failure import VoiceFailure
from engine.voice.legs import Leg
from engine.voice.likeness import KnownVoice
from engine.voice.measures import Measures
from engine.voice.recording import Recording
from engine.voice.speech import Span


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
        recording: its sound. It and the legs count from `recording.start_s` on, all other times from the beginning of
            the whole recording.
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
