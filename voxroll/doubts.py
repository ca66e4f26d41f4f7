"""Why somebody should listen to a recording before it is handed in: codes and words, of one recording by itself."""

import numpy as np

from engine.voice.found import Window
from engine.voice.measures import Measures
from engine.voice.voiceprint import COMPLETE_FROM_S, POOR_UNDER, SamplePrint, predicted_score

_NO_VECTOR = np.zeros(0, np.float32)


def doubts(window: Window | None, *, disagreement: object) -> dict[str, str]:
    """What to doubt of the best stretch, and that its voice disagrees with the person's others."""
    found = {"different_voice": str(disagreement)} if disagreement else {}
    score = audible_score(window.measures) if window else POOR_UNDER
    if score < POOR_UNDER:
        why = f"{COMPLETE_FROM_S:g} s of such sound score {score:.2f}, {POOR_UNDER:g} needed for more than Poor"
        found["poor_grade"] = f"{why}; it is noisy or clipped, or the voice changes"
    return found


def audible_score(measured: Measures) -> float:
    """The score that is foretold (`predicted_score`) but for length and band, which nobody changes by listening."""
    heard = SamplePrint(
        vector=_NO_VECTOR,
        speech_s=COMPLETE_FROM_S,
        audio_s=measured.duration_s,
        snr_db=measured.snr_db,
        clip_ratio=measured.clip_ratio,
        consistency=measured.consistency,
        narrow_band=False,
    )
    return predicted_score([heard])
