"""Fits the scales of `engine.voice.evidence`, and tells how they do on speakers they were not fitted on.

In: scores of trials, seconds of speech of what was tested. Out: a scale by logistic regression in which both kinds of
trials weigh alike, so that its line is a log-likelihood ratio (Brümmer and du Preez, "Application-independent
evaluation of speaker detection", 2006), and C_llr: the bits that a user of these ratios loses, 1 for ratios of 0.
"""

import numpy as np
from numpy.typing import NDArray

from engine.voice.evidence import SPEECH_S, Scale

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

_OTHER_DAY = 0.15  # one speaker's scores are so much lower on another day, and all trials here are of one session
_STEPS = 50
_RIDGE = 1e-6


def scale(scores: Numbers, same: Flags, speech_s: Numbers) -> Scale:
    """The scale under which these trials are likeliest, both kinds weighing alike; Newton's method.

    One speaker's scores are lowered first by what other days cost.
    """
    ln_s = np.log(np.clip(speech_s, *SPEECH_S))
    scores = scores - _OTHER_DAY * same
    given = np.stack([scores, scores * ln_s, np.ones_like(scores), ln_s], axis=1)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    found = np.zeros(4)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(given @ found, -50, 50)))
        slope = given.T @ (weights * (same - chance)) - _RIDGE * found
        bend = (given * (weights * chance * (1 - chance))[:, None]).T @ given + _RIDGE * np.eye(4)
        step = np.linalg.solve(bend, slope)
        found += step
        if np.abs(step).max() < 1e-6:
            break
    return Scale(slope=found[0], slope_ln=found[1], offset=found[2], offset_ln=found[3])


def cllr(ratios: Numbers, same: Flags) -> float:
    """Bits lost, mean of both kinds of trials."""
    missed = np.logaddexp(0, -ratios[same]).mean()
    passed = np.logaddexp(0, ratios[~same]).mean()
    return float((missed + passed) / 2 / np.log(2))
