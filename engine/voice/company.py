"""Who is to be heard in a recording: the voice of each person on each channel, to look for them among known ones.

People are told apart as for a sample, but everybody counts, not only who is meant; somebody on two channels is two
voices. No window is judged, and nothing is cut.
"""

from dataclasses import dataclass

import numpy as np

from engine.voice import speech
from engine.voice.band import is_line, is_narrow, loud_spectrum
from engine.voice.hearing import Hearing
from engine.voice.likeness import both_bands
from engine.voice.mining import hearing_of
from engine.voice.preflight import Last, Read, legs_of
from engine.voice.recording import Recording
from engine.voice.samples import RATE_HZ, floats
from engine.voice.talkers import LEAST_S, Talker, talkers
from engine.voice.voice import Voice
from engine.voice.voiceprint import Vector

_MOST_S = 24.0  # of one person's speech: as much as the best sample has


@dataclass(frozen=True, slots=True)
class Heard:
    """One person in a recording, as `likeness.Print` has a sample.

    Attributes:
        vector: (192,) float32, raw.
        narrow_vector: (192,) the same speech through the telephone's band.
        narrow_band: the recording holds nothing above that band: both vectors are the same.
    """

    vector: Vector
    narrow_vector: Vector
    narrow_band: bool


def company(voice: Voice, read: Read, *, channel: int | None = None) -> list[Heard]:
    """Everybody who speaks for 3 s or more, channel by channel, who speaks most first.

    Args:
        voice: the models.
        read: as for `preflight.mine`.
        channel: only this one; every one where none is named.

    Raises:
        VoiceFailure: the recording can't be read, or has no such channel.
    """
    kept = Last(read)
    found: list[Heard] = []
    for leg in legs_of(voice, kept, channel):
        if leg.speech_s >= LEAST_S:
            recording = kept.read(leg.channel)
            hearing = hearing_of(voice, recording, leg.spans())
            hearing.look(closely=False)
            found += [_heard(voice, recording, hearing, one) for one in talkers(hearing)]
    return found


def _heard(voice: Voice, recording: Recording, hearing: Hearing, one: Talker) -> Heard:
    spans = speech.merged(place for window in one.windows for place in hearing.places(window))
    spoken = speech.spoken(floats(recording.samples), spans)[: round(_MOST_S * RATE_HZ)]
    spectrum = loud_spectrum(spoken)
    narrow = is_narrow(spectrum)
    vector, narrow_vector = both_bands(voice, np.asarray(spoken), narrow=narrow, line=is_line(spectrum))
    return Heard(vector, narrow_vector, narrow)
