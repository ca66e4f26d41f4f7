"""What a score says: log-likelihood ratios, and the chance that a voice is one of several.

A cosine means more in full band than by telephone, and more after six seconds than after two; a ratio of likelihoods
means the same everywhere: by how much likelier this score is if both are one speaker than if they are two. In: centred
cosines of `voiceprint.score`. Out: natural logarithms, and chances.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Numbers = NDArray[np.float64]

SPEECH_S = (2.0, 6.0)  # of what is tested; beyond, nothing was fitted


@dataclass(frozen=True, slots=True)
class Scale:
    """ratio = (slope + slope_ln ln t) score + offset + offset_ln ln t, t seconds of speech."""

    slope: float
    slope_ln: float
    offset: float
    offset_ln: float

    def ratio(self, scores: Scores | Numbers, speech_s: float) -> Numbers:
        """Of some scores."""
        ln_s = math.log(min(max(speech_s, SPEECH_S[0]), SPEECH_S[1]))
        slope, offset = self.slope + self.slope_ln * ln_s, self.offset + self.offset_ln * ln_s
        return np.asarray(slope * np.asarray(scores, np.float64) + offset)


# By logistic regression over 17 people with many utterances and 33 with one (`tests/bench/voice/fit.py`), enrolled with
# 12 to 24 s, tested with 6 s and 2 s: clean in full band; clean, 300 to 3400 Hz with G.711, MP3 at 8 kHz and AMR in the
# narrow one. All of one session each, where one speaker's scores are 0.12 to 0.22 higher than on different days, so
# 0.15 were taken off those first. Both are at 0 (as likely as not) at a score of 0.48 and 0.42 after 5 s.
WIDE = Scale(27.43, 18.92, -6.22, -13.52)
NARROW = Scale(16.39, 8.83, -1.79, -6.83)


def ratios(scores: Scores, *, narrow_band: NDArray[np.bool_], speech_s: float) -> Numbers:
    """Log-likelihood ratios of one test against several voices, each compared in its band."""
    return np.where(narrow_band, NARROW.ratio(scores, speech_s), WIDE.ratio(scores, speech_s))


def chances(scores: Scores, *, narrow_band: NDArray[np.bool_], speech_s: float) -> Numbers:
    """The chance that a test is each of several voices, by Bayes' rule.

    Beforehand it is as likely none of them as one, and each of them as likely as any other:
    c_i = exp(r_i) / (N + sum exp(r_j)). So more candidates ask for more, and two alike leave each under a half: one
    number is threshold and margin to the runner-up.
    """
    found = np.minimum(ratios(scores, narrow_band=narrow_band, speech_s=speech_s), 50.0)
    odds = np.exp(found)
    return np.asarray(odds / (len(odds) + odds.sum()))
