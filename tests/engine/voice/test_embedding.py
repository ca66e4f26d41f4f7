"""The front end and the network, pinned: a slightly wrong one still gives vectors, only bad ones."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.voice.fbank import fbank, normalised
from engine.voice.recording import narrowed
from engine.voice.speech import spoken
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE, centred, score
from tests.support.speech import load, readers, said, speakers
from tests.support.voices import voice


def sound() -> NDArray[np.float32]:
    """Five seconds of a rising hum that swells, with a little hiss."""
    t = np.arange(5 * 16000) / 16000
    hum = sum((np.sin(2 * np.pi * (k * 110 * t + k * 12 * t * t)) / k for k in range(1, 25)), start=np.zeros(len(t)))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3.1 * t)
    hiss = np.random.default_rng(7).standard_normal(len(t))
    return np.asarray(0.1 * hum * swell + 0.003 * hiss, np.float32)


def test_filterbank_equals_kaldis() -> None:
    # computed by kaldi-native-fbank 1.22 on the same sound: frames 0, 123, 400; bins 0, 7, 20, 40, 60, 79
    kaldi = [
        [-6.191, -2.498, -2.583, -2.423, -4.711, -3.82],
        [-11.468, -8.718, -5.981, -5.032, -3.941, -3.389],
        [-9.499, -1.166, -2.961, -0.81, -1.376, -3.316],
    ]
    features = fbank(sound())
    assert features.shape == (498, 80)
    np.testing.assert_allclose(features[np.ix_([0, 123, 400], [0, 7, 20, 40, 60, 79])], kaldi, atol=2e-3)


def test_each_bins_mean_is_removed() -> None:
    assert np.abs(normalised(fbank(sound())).mean(axis=0)).max() < 1e-5
    batch = np.stack([fbank(sound()), fbank(sound()) + 3])
    np.testing.assert_allclose(normalised(batch)[0], normalised(batch)[1], atol=1e-4)


def test_embedding_is_the_published_networks() -> None:
    # computed by a torch build of the network that takes the same state dict strictly
    expected = [-0.4091, -0.3077, 0.6684, -1.0998, -0.5622, 0.0726, -0.4042, 0.6661]
    expected += [0.357, -0.5679, -0.2031, 1.0626, 0.2262, -0.2808, 0.1242, -0.0767]
    vector = voice().embed(sound())
    assert vector.shape == (192,)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector[:16], expected, atol=2e-3)


def test_windows_are_embedded_as_if_alone() -> None:
    whole = sound()
    found = voice().windows(whole, length_s=2.0, hop_s=1.0)
    assert len(found) == 4
    np.testing.assert_allclose(found[0], voice().embed(whole[:32000]), atol=1e-3)
    np.testing.assert_allclose(found[3], voice().embed(whole[48000:]), atol=1e-3)
    assert len(voice().windows(whole[:16000], length_s=2.0, hop_s=1.0)) == 0


def test_gain_hardly_changes_a_voice() -> None:
    loud = said("1688", seconds=8)
    assert score(voice().embed(loud), voice().embed(loud * np.float32(0.1))) > 0.98


def test_long_sound_is_taken_in_pieces() -> None:
    long = said("1998", seconds=65)
    assert score(voice().embed(long), voice().embed(long[: 20 * 16000])) > 0.9
    with pytest.raises(ValueError, match=r"0\.30 s of sound"):
        voice().embed(long[:4800])


@pytest.mark.parametrize("narrow_band", [False, True])
def test_same_speakers_score_over_the_threshold_and_others_under(narrow_band: bool) -> None:  # noqa: FBT001  a parameter
    threshold = SAME_SPEAKER_NARROW if narrow_band else SAME_SPEAKER_WIDE
    prints = {}
    for speaker, paths in readers().items():
        for number, path in enumerate(paths[:5]):
            speech = spoken(load(path), voice().speech(load(path)))
            heard = narrowed(speech) if narrow_band else speech
            if len(speech) >= 5 * 16000:
                prints[speaker, number] = centred(voice().embed(heard), voice().centre(narrow_band=narrow_band))
    pairs = [(a[0] == b[0], score(prints[a], prints[b])) for a in prints for b in prints if a < b]
    same = [value for is_same, value in pairs if is_same]
    other = [value for is_same, value in pairs if not is_same]
    assert len(same) >= 17
    assert np.mean([value >= threshold for value in same]) > 0.99
    assert np.mean([value >= threshold for value in other]) < 0.01
    assert np.mean(same) - np.mean(other) > 0.6


def test_threads_share_one_voice() -> None:
    sounds = [said(speaker, seconds=4) for speaker in list(speakers())[:4]]
    alone = [voice().embed(sound) for sound in sounds]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(voice().embed, sounds * 3))
    for number, vector in enumerate(found):
        np.testing.assert_array_equal(vector, alone[number % 4])
