"""The samples of one enrollment, one by one: what each is, whether it agrees with the others, and taking one out.

Pure, like the rules of adding one. All samples are kept apart, so what is left after one was taken out is, to the
byte, what would be held had it never been there; only its key is remembered, lest its request bring it back.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.service.applying import spent_with, tombstone
from engine.service.enrollment import Enrollment, Held, Sample
from engine.service.failure import ApiError
from engine.service.jobs import iso
from engine.voice.voiceprint import AGREES_NARROW, AGREES_WIDE, agreements, quality

ID_CHARS = 16  # of the hex digest: 64 bits tell a hundred samples apart


def sample_id(sample: Sample) -> str:
    """What a sample is called: the beginning of its content's SHA-256."""
    return sample.sha256[:ID_CHARS]


def listed(held: Held) -> list[dict[str, Any]]:
    """Every sample as it is told; `agrees`: false where it is not like most of the others."""
    prints = held.prints()
    limit = AGREES_NARROW if any(one.narrow_band for one in prints) else AGREES_WIDE
    samples = held.alive.samples if held.alive else ()
    return [
        {
            "sampleId": sample_id(sample),
            "creationTime": iso(sample.at_ms),
            "speechDuration": round(sample.speech_s, 3),
            "audioDuration": round(sample.audio_s, 3),
            "narrowBand": sample.narrow_band,
            "agreement": round(agreement, 3),
            "agrees": agreement >= limit,
        }
        for sample, agreement in zip(samples, agreements(prints), strict=True)
    ]


def without_sample(there: Enrollment, held: Held, wanted: str, *, now_ms: int) -> Held:
    """What is held once a sample is taken out; without the last one it is a tombstone.

    Args:
        there: the enrollment in `held`, alive.
        held: as it was read, with its prints.
        wanted: id of the sample.
        now_ms: milliseconds since 1970.

    Raises:
        ApiError: 404, it has no such sample.
    """
    number = next((n for n, sample in enumerate(there.samples) if sample_id(sample) == wanted), None)
    if number is None:
        message = f"{there.speaker_id} has no sample {wanted} (any more); GET .../samples lists those it has"
        raise ApiError(404, "unknown_sample", message, parameter="sampleId")
    if len(there.samples) == 1:
        return tombstone(there, version=held.version, now_ms=now_ms)
    rows = np.frombuffer(held.vectors, np.float32).reshape(len(there.samples), -1)
    kept = replace(
        there,
        samples=there.samples[:number] + there.samples[number + 1 :],
        spent=spent_with(there, there.samples[number]),
    )
    left = Held(kept, held.version, np.delete(rows, number, axis=0).tobytes())
    return replace(left, enrollment=replace(kept, quality=quality(left.prints(), complete=kept.is_complete)))
