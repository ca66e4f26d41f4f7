"""Who of several people speaks when in one channel, and which of them is meant."""

import numpy as np
from numpy.typing import NDArray

from engine.voice.measures import is_narrow_band
from engine.voice.recording import narrowed
from engine.voice.voice import Voice
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE, KnownVoice, centred, score


def over_threshold(voice: Voice, spoken: NDArray[np.float32], known: KnownVoice) -> float:
    """How far speech is over the score from which it is the known voice's, in the narrower band of the two."""
    is_narrow = is_narrow_band(spoken)
    band = is_narrow or known.narrow_band
    centre = voice.centre(narrow_band=band)
    heard = centred(voice.embed(narrowed(spoken) if band and not is_narrow else spoken), centre)
    there = centred(known.narrow if band else known.wide, centre)
    return score(heard, there) - (SAME_SPEAKER_NARROW if band else SAME_SPEAKER_WIDE)
