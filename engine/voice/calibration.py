"""From which score on two voices are one: thresholds from an account's own scores.

Microphones, codecs and languages move the scores of strangers and of one speaker by more than any fixed threshold
allows for. In: scores of pairs whose truth is known well enough. Out: a threshold, never under the fixed one. A tail is
read off two quantiles, so that what lies beyond them (a speaker enrolled twice among the strangers, a stranger among
the genuine) moves it little.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

FALSE_ALARMS = 0.001  # of all searches for a voice that is not there
MISSES = 0.005  # of all samples that are the speaker's
LEAST_SPEAKERS = 30  # 435 pairs: the 99 % quantile still has four scores above it
LEAST_GENUINE = 100  # the 10 % quantile has ten scores under it
_MOST_RAISED = 0.1  # one voice on different days has scored 0.55, where one day's calls gave 0.7 and more

_STANDARD = NormalDist()


def search_threshold(strangers: Scores, *, voices: int, fixed: float) -> float:
    """The score from which the nearest of many voices is taken for the same one.

    A search among N voices raises a false alarm with 0.1 % if each comparison does with p = 0.001 / N (Bonferroni).
    The score that a share p of strangers exceed is that of a normal distribution through the 90 % and the 99 % quantile
    of the strangers' scores: t = q99 + (q99 - q90) (z(1 - p) - z(0.99)) / (z(0.99) - z(0.90)).

    Measured on 251 readers of LibriSpeech, 40 draws each: fitted on 60 of them and tried on the pairs of all others, a
    share of 1.3e-3 passed where 1e-3 was asked for, 1.3e-4 for 1e-4, and on the narrow-band prints 0.9e-3 and 1.0e-4
    (on 30: 1.5e-3, 2.8e-4, 1.7e-3, 1.2e-4). An exponential tail was 0.1 too high at 1e-4, the scores' own quantiles
    end there. Of 251 searches, each among the 250 others, 2 alarmed in full band, for one pair of readers at 0.83, and
    none in the narrow one, where the fixed threshold alarmed in 93.

    The threshold rises with N: 0.62 among 250 voices, 0.73 among 10,000, 0.79 among 100,000; in the narrow band 0.75,
    0.88 and 0.95, where calls of one speaker over real codecs reach 0.6 to 0.8. So a search of a large gallery by
    telephone misses most, and what it finds is a hint and no proof.

    Args:
        strangers: scores of pairs of different speakers, in the band that is searched.
        voices: how many are searched.
        fixed: the threshold of two voices that are compared for one reason, and the least one here.
    """
    low, high = np.quantile(strangers, [0.90, 0.99])
    chance = min(FALSE_ALARMS / max(voices, 1), 0.01)
    steps = (_z(1 - chance) - _z(0.99)) / (_z(0.99) - _z(0.90))
    return max(fixed, float(high + (high - low) * steps))


def speaker_threshold(genuine: Scores, *, fixed: float) -> float:
    """The score under which a sample is not taken for the speaker's.

    0.5 % of genuine samples score under it, if they scatter downwards from their 10 % quantile as they do above it:
    t = q10 - (q50 - q10) / ln(5) * ln(0.1 / 0.005), an exponential tail, since genuine scores fall off slowly. On 96
    pairs of cuts of ten readers, each from one session, t was 0.69 (0.66 on the narrow-band prints) and nothing was
    under it. Across sessions it is not measured, so it is at most 0.1 over the fixed one. Samples under the threshold
    of the day are among the genuine only where a person accepted them; that moves the two quantiles by little, and so
    the next threshold.
    """
    low, middle = (float(score) for score in np.quantile(genuine, [0.10, 0.50]))
    own = low - (middle - low) / math.log(5) * math.log(0.1 / MISSES)
    return min(max(fixed, own), fixed + _MOST_RAISED)


def _z(share: float) -> float:
    return _STANDARD.inv_cdf(share)
