"""Voiceprints: what is kept of a voice, how two compare, and how good an enrollment is.

Vectors of this kind of network share a large common part; a stored centre, the mean over many speakers, is taken off
before two are compared, one centre for full band and one for the telephone's. The score of two voiceprints is the
cosine, about 0.0 for strangers. Arrays in, numbers out: no network runs here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Quality = Literal["Poor", "Average", "Good", "High"]
Vector = NDArray[np.float32]

# Scores from which two voiceprints are taken as one speaker's. Measured on natural speech of 12 to 24 s, 47,000 pairs:
SAME_SPEAKER_WIDE = 0.50  # 0.11 % of strangers pass, no speaker is missed
SAME_SPEAKER_NARROW = (
    0.45  # on the narrow-band prints: 0.3 to 10 % of strangers pass, by codec, 0.4 % are missed at most
)
# Agreement from which a sample is taken as the same voice as most of the others. On 10 readers, 4 samples of 7 to 14 s
# each, their own agreed by 0.73 and more, a stranger's by 0.34 and less; through the telephone's band 0.75 and 0.51.
AGREES_WIDE, AGREES_NARROW = 0.55, 0.62
COMPLETE_FROM_S = 12.0  # seconds of speech, the contract's rule

_POOR_UNDER_S = 6.0
POOR_UNDER = 0.62  # of `predicted_score`; what else a grade needs is said in `quality`
_CUTS = (POOR_UNDER, 0.70, 0.76)
_JUDGED_FROM = 3  # samples, to say that one of them is another's
_WEIGHED_S, _LEAST_WEIGHT = 15.0, 0.1
_WORST_CONSISTENCY = 0.3  # assumed where there was too little speech to measure it


@dataclass(frozen=True, slots=True)
class SamplePrint:
    """What the engine keeps of one sample.

    Attributes:
        vector: (192,) float32, raw mean of the speech.
        speech_s: seconds of speech.
        audio_s: seconds of audio.
        snr_db: speech to noise.
        clip_ratio: share of clipped samples.
        consistency: mean raw cosine of 3 s windows; NaN where the speech is too short to tell.
        narrow_band: the audio holds nothing above the telephone's band.
        line: it came by a telephone line, which took what is under 300 Hz too.
        narrow_vector: (192,) the same speech through the telephone's band, to compare with narrow-band audio; None in
            prints that were kept without it.
    """

    vector: Vector
    speech_s: float
    audio_s: float
    snr_db: float
    clip_ratio: float
    consistency: float
    narrow_band: bool
    narrow_vector: Vector | None = None
    line: bool = False


def unit(vector: Vector) -> Vector:
    """Scale to length 1; zeros stay zeros."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def centred(vector: Vector, centre: Vector) -> Vector:
    """Take the centre off a raw vector: unit length, minus the centre, unit length again."""
    return unit(unit(vector) - centre)


def score(a: Vector, b: Vector) -> float:
    """Cosine of two voiceprints of the same band, -1 to 1."""
    return float(np.dot(unit(a), unit(b)))


def voiceprint(samples: Sequence[SamplePrint], centre: Vector, *, narrow_band: bool = False) -> Vector:
    """Make one voiceprint of several samples: the mean of their unit vectors, weighted by speech and quality.

    A sample weighs its seconds of speech times the score that 15 s of such sound are predicted to have, 0.1 at least.
    Sums are taken in order of size, so the same samples make the same bytes in whatever order they came, and after
    one is withdrawn the print is the one that would have been without it.

    Args:
        samples: at least one.
        centre: of the band that is asked for.
        narrow_band: make the print that narrow-band audio is compared with.

    Returns:
        (192,) of unit length.

    Raises:
        ValueError: no samples.
    """
    if not samples:
        raise ValueError("a voiceprint needs at least one sample")
    weights = np.array([_weight(sample) for sample in samples])
    vectors = np.stack([unit(_vector(sample, narrow_band=narrow_band)) for sample in samples])
    mean = np.sort(vectors * weights[:, None], axis=0).sum(axis=0) / np.sort(weights).sum()
    return unit(np.asarray(mean - centre, np.float32))


def outliers(samples: Sequence[SamplePrint], *, wide: Vector, narrow: Vector) -> tuple[int, ...]:
    """Which samples are not like the others: another person's, or spoilt beyond use.

    The sample that is least like the voiceprint of all others is one if its score is under the limit of its band; then
    the rest is looked at again, as long as there are three: of two that disagree nobody can say which is wrong. Where
    several samples are a stranger's, the majority says whose enrollment it is.

    Args:
        samples: of one speaker, in any order.
        wide: centre of full band.
        narrow: centre of the telephone's band, in which all are compared if one has nothing above it.

    Returns:
        Their places in `samples`, in order.
    """
    narrow_band = any(sample.narrow_band for sample in samples)
    centre, limit = (narrow, SAME_SPEAKER_NARROW) if narrow_band else (wide, SAME_SPEAKER_WIDE)
    left, found = list(range(len(samples))), []
    while len(left) >= _JUDGED_FROM:
        worst, at = min((_to_others(samples, left, at, centre, narrow_band=narrow_band), at) for at in left)
        if worst >= limit:
            break
        left.remove(at)
        found.append(at)
    return tuple(sorted(found))


def _to_others(
    samples: Sequence[SamplePrint], left: Sequence[int], at: int, centre: Vector, *, narrow_band: bool
) -> float:
    others = [samples[other] for other in left if other != at]
    own = voiceprint([samples[at]], centre, narrow_band=narrow_band)
    return score(own, voiceprint(others, centre, narrow_band=narrow_band))


def _weight(sample: SamplePrint) -> float:
    return max(sample.speech_s, 1e-3) * max(predicted_score([replace(sample, speech_s=_WEIGHED_S)]), _LEAST_WEIGHT)


def quality(samples: Sequence[SamplePrint], *, complete: bool) -> Quality:
    """Grade an enrollment by how surely its speaker will be known again.

    `predicted_score` of all samples together, cut where the misses at the threshold change: Poor misses 37 % at worst,
    Average 14 %, Good 1.0 %, High 1.4 % and the highest scores. Caps: Poor under 6 s of speech, at most Average before
    the enrollment is complete, at most Good on narrow-band audio alone.
    """
    if sum(sample.speech_s for sample in samples) < _POOR_UNDER_S:
        return "Poor"
    predicted = predicted_score(samples)
    grades: tuple[Quality, ...] = ("Poor", "Average", "Good", "High")
    best = 3
    if all(sample.narrow_band for sample in samples):
        best = 2
    if not complete:
        best = 1
    return grades[min(best, sum(predicted >= cut for cut in _CUTS))]


def predicted_score(samples: Sequence[SamplePrint]) -> float:
    """Predict the score of the enrollment against later audio of the same speaker.

    A regression on 818 samples of 44 speakers in 11 conditions (rank correlation 0.68, cross-validated by speaker; 0.66
    on 790 samples of 10 further speakers, where from 0.70 up none was missed):
    -0.086 + 0.104 ln(speech in 0.5 to 30 s) + 0.0052 SNR (0 to 30 dB) + 0.72 consistency - 2.79 clip ratio (to 0.05)
    - 0.12 narrow band - 0.20 telephone line. The last two stood as one of 0.20 until lines were told apart: of nine
    people under 20 conditions, on whom they were chosen, the rank correlation went from 0.57 to 0.70, of four others
    from 0.50 to 0.66, and nobody graded Good or High scored under 0.6.
    For several samples: speech is their sum, all others means weighted by speech; consistency is that within the
    samples or that of the worst sample with the others, whichever is less, so that one stranger's sample spoils it.
    """
    total = sum(sample.speech_s for sample in samples)
    weights = [sample.speech_s / total for sample in samples] if total else [0.0 for _ in samples]

    def mean(values: Sequence[float]) -> float:
        return sum(weight * value for weight, value in zip(weights, values, strict=True))

    within = [_WORST_CONSISTENCY if math.isnan(sample.consistency) else sample.consistency for sample in samples]
    return (
        -0.086
        + 0.104 * math.log(min(max(total, 0.5), 30.0))
        + 0.0052 * mean([min(max(sample.snr_db, 0.0), 30.0) for sample in samples])
        + 0.72 * min(mean(within), _between(samples))
        - 2.79 * mean([min(sample.clip_ratio, 0.05) for sample in samples])
        - 0.12 * mean([float(sample.narrow_band) for sample in samples])
        - 0.20 * mean([float(sample.line) for sample in samples])
    )


def agreements(samples: Sequence[SamplePrint]) -> tuple[float, ...]:
    """How well each sample agrees with the others: the median of its raw cosines with them, in the band that all share.

    1 for one alone. The median, so that a stranger's sample shows while most samples are one person's, and theirs
    don't suffer from it. Of two that don't agree, neither can be told to be the wrong one.
    """
    if len(samples) < 2:
        return (1.0,) * len(samples)
    alike = _cosines(samples)
    return tuple(float(np.median(np.delete(row, number))) for number, row in enumerate(alike))


def _between(samples: Sequence[SamplePrint]) -> float:
    """How well the worst sample agrees with the others: its mean raw cosine, in the band all share; 1 for one alone."""
    if len(samples) < 2:
        return 1.0
    return float((_cosines(samples).sum(axis=1) - 1).min()) / (len(samples) - 1)


def _cosines(samples: Sequence[SamplePrint]) -> Vector:
    """Raw cosines of all samples with each other, (samples, samples), in the band all share."""
    narrow = any(sample.narrow_band for sample in samples)
    vectors = np.stack([unit(_vector(sample, narrow_band=narrow)) for sample in samples])
    return vectors @ vectors.T


def _vector(sample: SamplePrint, *, narrow_band: bool) -> Vector:
    return sample.narrow_vector if narrow_band and sample.narrow_vector is not None else sample.vector
