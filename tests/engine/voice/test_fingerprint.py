"""The same audio is known again through codec, gain and cut; other speech is not, by whomever."""

import time
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.voice.fingerprint import SPARSE, Fingerprint, fingerprint, overlap, seconds
from engine.voice.recording import decode, narrowed
from engine.voice.samples import floats
from tests.support.encoding import encoded
from tests.support.speech import Samples, load, readers, said, speakers

_SAME, _OTHER = 0.25, 0.40


def kept(samples: Samples | NDArray[np.int16]) -> Fingerprint:
    """What is kept of a recording."""
    return fingerprint(samples, every=SPARSE)


def cut(samples: Samples, start_s: float, end_s: float) -> Samples:
    return samples[round(start_s * 16000) : round(end_s * 16000)]


@pytest.mark.parametrize(
    "kind", ["as it is", "softer", "clipped", "telephone", "mp3", "mp3 phone", "opus", "wav a-law"]
)
def test_the_same_audio_is_known_again_wherever_it_is_cut(kind: str) -> None:
    whole = said("1688", seconds=30)
    match kind:
        case "as it is":
            other = whole
        case "softer":
            other = whole * np.float32(0.1)
        case "clipped":
            other = np.clip(whole * 4, -1, 1)
        case "telephone":
            other = narrowed(whole)
        case _:
            other = floats(decode(encoded(kind, whole)).samples)
    one = fingerprint(cut(whole, 0, 15))
    for start_s, end_s, shared_s in ((0, 15, 15), (0.0071, 15, 15), (6.3337, 20, 8.7), (11, 30, 4)):
        found_s, differing = overlap(one, kept(cut(other, start_s, end_s)))
        assert differing < _SAME
        assert found_s == pytest.approx(shared_s, abs=0.15)


def test_a_sample_is_found_anywhere_in_a_long_recording() -> None:
    """Half an hour of ten readers again and again, each time at another place between two steps, of 16 bits."""
    said_once = [load(path) for paths in readers().values() for path in paths[:3]]
    whole = np.concatenate([np.pad(one, (0, 37 * n)) for n, one in enumerate(7 * said_once)])[: 1800 * 16000]
    one, stranger = said("1688", seconds=20, skip=5), said("1998", seconds=20, skip=3)
    recording = (whole * 32767).astype(np.int16)
    recording[-23 * 16000 : -3 * 16000] = one * 16384
    long = kept(recording)
    found_s, differing = overlap(fingerprint(one), long)
    assert found_s == pytest.approx(20, abs=0.1)
    assert differing < 0.1
    assert overlap(fingerprint(stranger), long)[1] > _OTHER
    assert long.nbytes < 80_000


def test_of_a_recording_every_so_many_steps_are_kept() -> None:
    samples = said("1688", seconds=30)
    whole, sparse = fingerprint(samples)[::SPARSE], kept(samples)
    assert len(whole) == len(sparse)
    assert int(np.bitwise_count(whole ^ sparse).sum()) < 0.1 * 32 * len(whole)  # other noise is added


def test_other_speech_is_never_the_same_audio() -> None:
    prints = [(fingerprint(one), kept(one)) for paths in readers().values() for one in map(load, paths[:4])]
    assert min(overlap(one, other)[1] for (one, _), (_, other) in combinations(prints, 2)) > _OTHER


def test_silence_is_not_the_same_audio_as_silence() -> None:
    """Two people who speak at other times between digital silence share the silence and nothing else."""
    first, second = list(speakers())[:2]
    one, other = np.zeros(12 * 16000, np.float32), np.zeros(11 * 16000, np.float32)
    one[:32000], other[-32000:] = said(first, seconds=2), said(second, seconds=2)
    assert overlap(fingerprint(one), kept(other))[1] > _OTHER


def test_too_little_says_nothing() -> None:
    speech = said("1688", seconds=12)
    assert len(fingerprint(speech[:4000])) == 0
    assert overlap(fingerprint(speech[: 2 * 16000]), kept(speech)) == (0.0, 0.5)
    assert overlap(fingerprint(speech[:0]), kept(speech)) == (0.0, 0.5)
    assert overlap(fingerprint(speech), kept(speech[:0])) == (0.0, 0.5)
    assert seconds(fingerprint(speech)) == pytest.approx(12, abs=0.03)
    assert seconds(kept(speech), every=SPARSE) == pytest.approx(12, abs=0.1)
    assert seconds(fingerprint(speech[:0])) == 0.0


def test_every_shift_is_tried_in_milliseconds() -> None:
    """Exact: the best alignment by trying all of them one by one is found, and fast enough to compare with each."""
    one, other = fingerprint(said("1688", seconds=24)), kept(said("2033", seconds=24))
    best = max(_slowly(one, other))
    assert overlap(one, other) == pytest.approx(best[1:], abs=0.02)
    began = time.process_time()
    for _ in range(20):
        overlap(one, other)
    assert time.process_time() - began < 20 * 0.05  # 3 ms on an idle core


def _slowly(one: Fingerprint, other: Fingerprint) -> list[tuple[float, float, float]]:
    """Weight, seconds and share of differing bits by shift."""
    found = []
    for phase in range(SPARSE):
        part = one[phase::SPARSE]
        for shift in range(-len(other) + 1, len(part)):
            ours = part[max(0, shift) : shift + len(other)]
            theirs = other[max(0, -shift) :][: len(ours)]
            if len(ours) >= 27:
                differing = int(np.bitwise_count(ours ^ theirs).sum()) / (32 * len(ours))
                weight = (1 - 2 * differing) * len(ours) ** 0.5
                found.append((weight, seconds(ours, every=SPARSE), differing))
    return found
