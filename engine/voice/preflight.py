"""Before a sample costs an API call: is it good enough, and if it is long, which part of it is best.

`choose` looks through a recording of any length for the stretch to hand in; the workshop uses it. `inspect` takes a
sample as it was handed in and cuts nothing; the engine uses it. Both apply the contract's rules, and refuse with the
measured value, the limit and the way out.
"""

import math
from dataclasses import dataclass
from typing import Literal, Self

from engine.voice import measures as measuring
from engine.voice import windows
from engine.voice.failure import VoiceFailure
from engine.voice.measures import Measures
from engine.voice.recording import RATE_HZ, Recording, narrowed
from engine.voice.speech import speech_s
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint

__all__ = ["Measures", "Rules", "Window", "choose", "inspect"]

_SLACK_S = 0.05  # codecs pad to whole frames: 30.0 s of MP3 may come out as 30.04 s
_SILENT_DBFS = -60.0  # a room's own noise; nobody speaks that softly into a microphone
_VOICES_P10 = 0.25  # see measures.voices_p10
_TRIES = 3  # stretches of one recording that are looked at for a single voice


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


@dataclass(frozen=True, slots=True)
class Window:
    """The chosen stretch of a recording, in seconds from its beginning, and what was measured of it."""

    start_s: float
    end_s: float
    measures: Measures


def choose(voice: Voice, recording: Recording, rules: Rules) -> Window:
    """Find the best stretch of one voice: continuous, of the best length where there is one, else shorter.

    The best three that differ are looked at for a single voice before a recording is refused for it.

    Raises:
        VoiceFailure: too_short, silent, speech_too_short, several_voices.
    """
    _refuse_short(recording, rules)
    spans = voice.speech(recording.samples)
    everywhere_s = speech_s(spans)
    _refuse_silent(recording, everywhere_s)
    lengths = windows.Lengths(rules.min_s, rules.best_min_s, rules.best_max_s)
    ranked = windows.ranked(
        spans,
        duration_s=recording.duration_s,
        lengths=lengths,
        clipped=windows.clipped_bins(recording.samples),
        most=_TRIES,
    )
    refusals: list[VoiceFailure] = []
    for stretch in ranked:
        start, end = round(stretch.start_s, 3), round(min(stretch.end_s, recording.duration_s), 3)
        found, _ = measuring.measure(voice, recording.samples[round(start * RATE_HZ) : round(end * RATE_HZ)])
        if found.speech_s < rules.min_speech_s:
            refusals.append(_speech_too_short(found.speech_s, recording, everywhere_s, rules))
        elif found.voices_p10 < _VOICES_P10:
            refusals.append(_several_voices(found.voices_p10, len(ranked)))
        else:
            return Window(start, end, found)
    raise refusals[0]  # of the best one


def inspect(voice: Voice, recording: Recording, rules: Rules) -> tuple[Measures, SamplePrint]:
    """Measure a sample as it was handed in, and make its print.

    Whether several voices speak is measured but not refused: who hands a sample in has decided.

    Raises:
        VoiceFailure: too_short, too_long, silent, speech_too_short.
    """
    _refuse_short(recording, rules)
    if recording.duration_s > rules.max_s + _SLACK_S or recording.truncated:
        longer = "more than " if recording.truncated else ""
        raise VoiceFailure(
            "too_long",
            f"{longer}{recording.duration_s:.1f} s long, {rules.max_s:g} s allowed; cut out "
            f"{rules.best_min_s:g} to {rules.best_max_s:g} s of it",
            value=recording.duration_s,
            limit=rules.max_s,
        )
    found, spoken = measuring.measure(voice, recording.samples)
    _refuse_silent(recording, found.speech_s)
    if found.speech_s < rules.min_speech_s:
        raise _speech_too_short(found.speech_s, recording, found.speech_s, rules)
    vector = voice.embed(spoken)
    print_ = SamplePrint(
        vector=vector,
        speech_s=found.speech_s,
        audio_s=recording.duration_s,
        snr_db=found.snr_db,
        clip_ratio=found.clip_ratio,
        consistency=found.consistency,
        narrow_band=found.narrow_band,
        narrow_vector=vector if found.narrow_band else voice.embed(narrowed(spoken)),
    )
    return found, print_


def _refuse_short(recording: Recording, rules: Rules) -> None:
    missing = rules.min_s - recording.duration_s
    if missing > _SLACK_S:
        raise VoiceFailure(
            "too_short",
            f"{recording.duration_s:.1f} s long, {rules.min_s:g} s needed; record at least {_up(missing):g} s more",
            value=recording.duration_s,
            limit=rules.min_s,
        )


def _refuse_silent(recording: Recording, everywhere_s: float) -> None:
    level = measuring.level_dbfs(recording.samples)
    if not everywhere_s and level < _SILENT_DBFS:
        raise VoiceFailure(
            "silent",
            f"level {level:.0f} dBFS and nobody speaks, {_SILENT_DBFS:.0f} dBFS needed; check the microphone "
            f"and, of a recording with several channels, which one the speaker is on",
            value=level,
            limit=_SILENT_DBFS,
        )
    if not everywhere_s:
        raise VoiceFailure(
            "speech_too_short",
            f"0.0 s of speech in {recording.duration_s:.1f} s of sound; record a person speaking",
            value=0.0,
        )


def _speech_too_short(speech: float, recording: Recording, everywhere: float, rules: Rules) -> VoiceFailure:
    seen = f"the first {recording.duration_s:.0f} s" if recording.truncated else "the recording"
    if everywhere > speech + 0.1:
        way_out = f"{seen} has {everywhere:.1f} s in all, too far apart for one sample; record continuous speech"
    else:
        way_out = f"speak for at least {_up(rules.min_speech_s - speech):g} s more"
    return VoiceFailure(
        "speech_too_short",
        f"{speech:.1f} s of speech, {rules.min_speech_s:g} s needed; {way_out}",
        value=speech,
        limit=rules.min_speech_s,
    )


def _several_voices(p10: float, tried: int) -> VoiceFailure:
    where = "the stretch" if tried == 1 else f"each of the {tried} best stretches"
    return VoiceFailure(
        "several_voices",
        f"voice likeness {p10:.2f} within {where}, {_VOICES_P10} needed; name the channel the speaker is on, "
        "or cut out a stretch in which the speaker alone speaks",
        value=p10,
        limit=_VOICES_P10,
    )


def _up(seconds: float) -> float:
    """Round up to a tenth, so that who does what the message says passes."""
    return math.ceil(round(seconds * 10, 3)) / 10
