"""The search through one channel: which stretch is heard next, and whether it will do.

In: what is to be known without hearing voices (`Found`). Out: the same with stretches that will do. Voices cost ten
times more than all else together, so a look is taken at few places, and only what promises most is heard closely. The
search finds just those stretches that have not been heard well, because it looks for what passes; so a stretch is
judged only once it was heard as closely as can be and is still the best.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.voice import measures as measuring
from engine.voice import refusals, speech, windows
from engine.voice.band import is_narrow_band
from engine.voice.failure import VoiceFailure
from engine.voice.found import Found, Refused, Search, Window
from engine.voice.hearing import Hearing
from engine.voice.measures import Measures, Sound
from engine.voice.recording import Recording
from engine.voice.rules import Rules
from engine.voice.scan import scan
from engine.voice.speech import Span, merged, without
from engine.voice.talkers import ALIKE, meant, others, talkers
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint, Vector, predicted_score

MANY_VOICES = frozenset({"several_voices", "overlapped"})
_TRIES = 3  # stretches that are looked at beyond those that are wanted
_HEARD_S = 12.0  # of speech tell how wide the band is


@dataclass(frozen=True, slots=True, kw_only=True)
class Miner:
    """Searches one channel, and keeps what was heard of it."""

    voice: Voice
    recording: Recording
    rules: Rules
    search: Search
    hearing: Hearing

    def listened(self, found: Found) -> Found:
        """Tell apart who speaks, and search the speech of who is meant; more finely while several seem to be one."""
        self.hearing.look(closely=self.search.known is not None)
        result = found
        for alike in ALIKE:
            result = self.searched(found, alike=alike)
            if not result.refusal or result.refusal.code not in MANY_VOICES:
                break
        return result

    def searched(self, found: Found, *, alike: float | None = None) -> Found:
        """Look at the best stretches until so many will do, or a few more will not.

        A stretch is heard as closely as can be before it is judged, in steps where several speak. What is heard there
        may tell others apart, so after each step the best stretch may be another one. Without `alike` one person is
        taken to speak.
        """
        usable: list[Window] = []
        refused: list[Refused] = []
        now = found
        while len(usable) < self.search.want and len(usable) + len(refused) < self.search.want + _TRIES:
            now = self._of_one(found, alike) if alike else found
            at = _following(now, self.rules, usable, refused)
            if at is None:
                break
            if now.people > 1 and self.hearing.closer(at):
                continue
            verdict = self._judged(at, now)
            if isinstance(verdict, Window):
                usable.append(verdict)
            elif verdict:
                refused.append(Refused(at.start_s, at.end_s, verdict))
                if alike and alike < ALIKE[-1] and now.people == 1 and verdict.code in MANY_VOICES:
                    break  # several there are, so they must be told apart more finely
        refusal = None
        if not usable:  # of the best one; where several speak, that they do is why the rest is too short
            told = [one.failure for one in refused if now.people > 1 and one.failure.code in MANY_VOICES]
            alone = refusals.nobody_alone(now.others, now.leg.spans(), people=now.people)
            told += [one.failure for one in refused] or [alone]
            refusal = told[0]
        return replace(now, windows=tuple(usable), refused=tuple(refused), refusal=refusal)

    def _of_one(self, found: Found, alike: float) -> Found:
        """Keep the speech of the one who is meant, take that of others for what spoils a sample."""
        people = talkers(self.hearing, alike=alike)
        one = meant(self.voice, people, self.search.known, narrow_band=self.hearing.narrow_band)
        if one is None:
            return found
        spoilt = merged([*found.others, *others(self.hearing, people, one)])
        return replace(found, spans=without(found.spans, spoilt), others=spoilt, people=len(people))

    def _judged(self, at: Span, found: Found) -> Window | VoiceFailure | None:
        """Judge a stretch; None where more of it was heard, after which another may be better."""
        samples = self.recording.between(at.start_s, at.end_s)
        sound, spoken = measuring.sound(scan(self.voice, samples), samples)
        there, spans, others = self._told(at), *(tuple(map(self._told, kind)) for kind in (found.spans, found.others))
        refusal = refusals.too_little_speech(
            sound, there, self.rules, spans=spans, truncated=found.truncated, people=found.people
        ) or refusals.unfit_sound(sound, there, self.rules)
        if refusal:
            return refusal
        if self.hearing.wholly(at):
            return None
        voices = _voices(self.hearing, at, sound)
        refusal = refusals.unfit_voices(voices, there, people=found.people)
        if not refusal and found.people > 1:
            refusal = refusals.not_alone(sound, there, others)
        if refusal:
            return refusal
        measured = replace(voices, consistency=measuring.consistency(self.voice, spoken))
        score = predicted_score([printed(measured, np.zeros(0, np.float32), consistency=measured.consistency)])
        return Window(at.start_s, at.end_s, found.leg.channel, measured, score)

    def _told(self, span: Span) -> Span:
        """Where people find it in the whole recording."""
        return span.later(self.recording.start_s)


def hearing_of(voice: Voice, recording: Recording, spans: Sequence[Span]) -> Hearing:
    """Nothing heard yet of a channel in which somebody speaks."""
    longest = max(spans, key=lambda span: span.duration_s)
    narrow = is_narrow_band(recording.between(longest.start_s, min(longest.end_s, longest.start_s + _HEARD_S)))
    return Hearing(voice, recording.samples, spans, narrow_band=narrow)


def _voices(hearing: Hearing, at: Span, sound: Sound) -> Measures:
    """The measures of a stretch but for its consistency, which only one that will do needs."""
    vectors = hearing.vectors(hearing.windows(at), narrow_band=sound.narrow_band)
    return measuring.with_voices(sound, vectors=vectors, overlap=hearing.listen(at).overlap_share, consistency=math.nan)


def _following(found: Found, rules: Rules, usable: Sequence[Window], refused: Sequence[Refused]) -> Span | None:
    """The best stretch of other material than those before; of the refused those count in which nobody else speaks."""
    failed = [Span(one.start_s, one.end_s) for one in refused]
    taken = [Span(one.start_s, one.end_s) for one in usable]
    taken += [span for span in failed if not speech.within(found.others, span.start_s, span.end_s)]
    while (best := _best(found, rules, taken)) in failed:
        taken.append(best)
    return best


def printed(found: Sound, vector: Vector, *, consistency: float) -> SamplePrint:
    """What the grade is foretold from, and the vector."""
    return SamplePrint(
        vector=vector,
        speech_s=found.speech_s,
        audio_s=found.duration_s,
        snr_db=found.snr_db,
        clip_ratio=found.clip_ratio,
        consistency=consistency,
        narrow_band=found.narrow_band,
        line=found.line,
    )


def _best(found: Found, rules: Rules, taken: Sequence[Span]) -> Span | None:
    seen = found.leg.scan
    best = windows.best(
        found.spans,
        duration_s=found.duration_s,
        lengths=windows.Lengths(rules.min_s, rules.best_min_s, rules.best_max_s),
        clipped=seen.clipped,
        spoilt=merged([*found.music, *found.tones, *found.others]),
        taken=taken,
    )
    return Span(round(best.start_s, 3), round(min(best.end_s, found.duration_s), 3)) if best else None
