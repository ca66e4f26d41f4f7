"""Choosing the stretch, and refusing with a way out that leads out."""

import re
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.voice import windows
from engine.voice.codes import ADVICE
from engine.voice.failure import VoiceFailure
from engine.voice.preflight import Rules, choose, inspect, mine
from engine.voice.recording import Recording, cut, decode, to_wav
from engine.voice.refusals import advice
from engine.voice.samples import RATE_HZ
from engine.voice.speech import Span
from tests.support.speech import readers, said, wav
from tests.support.voices import voice

Samples = NDArray[np.float32]
RULES = Rules()


def quiet(seconds: float) -> Samples:
    return np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ)).astype(np.float32) * np.float32(1e-3)


def recording(*parts: Samples) -> Recording:
    return decode(to_wav(np.concatenate(parts), rate_hz=RATE_HZ))


def refusal(call: Callable[[], object]) -> VoiceFailure:
    with pytest.raises(VoiceFailure) as caught:
        call()
    return caught.value


def test_the_dense_stretch_is_found_in_a_long_recording() -> None:
    speech = said("3331", seconds=35)
    words = [part for k in range(6) for part in (speech[k * 16000 : (k + 1) * 16000], quiet(3))]
    found = choose(voice(), recording(*words, speech[20 * 16000 :], quiet(20)), RULES)
    assert 23.5 <= found.start_s <= 25.5
    assert 38 <= found.end_s <= 40
    assert found.measures.speech_s > 12
    assert found.measures.longest_pause_s < 1.2


def test_a_recording_of_one_channel_is_decoded_once() -> None:
    asked = []

    def read(channel: int | None) -> Recording:
        asked.append(channel)
        return recording(said("1998", seconds=14))

    assert mine(voice(), read, RULES).windows
    assert asked == [0]


def test_the_engine_measures_what_the_workshop_measured() -> None:
    data = wav(said("1998", seconds=50))
    window = choose(voice(), decode(data), RULES)
    clip = cut(data, start_s=window.start_s, end_s=window.end_s)
    measures, print_ = inspect(voice(), decode(clip), RULES)
    assert all(getattr(window.measures, name) == value for name, value in asdict(measures).items())
    assert print_.consistency == window.measures.consistency
    assert print_.speech_s == measures.speech_s
    assert print_.audio_s == pytest.approx(window.end_s - window.start_s, abs=1e-3)
    assert RULES.best_min_s <= measures.duration_s <= RULES.best_max_s
    assert print_.vector.shape == (192,)


@pytest.mark.parametrize(("reader", "seconds", "skip"), [("1998", 8.0, 0), ("367", 8.0, 2), ("533", 6.2, 7)])
def test_a_short_recording_of_one_voice_is_taken(reader: str, seconds: float, skip: int) -> None:
    readers()  # the ones of 177 short recordings whose windows are least alike
    assert choose(voice(), recording(said(reader, seconds=seconds, skip=skip)), RULES).measures.voices_p10 < 0.41


def test_a_clipped_stretch_is_passed_over() -> None:
    speech = said("1998", seconds=60)
    loud = np.clip(speech[: 30 * 16000] * 30, -1, 1)
    found = choose(voice(), recording(loud, quiet(1), speech[30 * 16000 :]), RULES)
    assert found.start_s > 30
    assert found.measures.clip_ratio < 0.001


def test_shorter_stretches_serve_where_no_long_one_is() -> None:
    readers()  # the bounds are those of this reader's pauses
    found = choose(voice(), recording(quiet(8), said("3331", seconds=7.5), quiet(30)), RULES)
    assert RULES.min_s <= found.end_s - found.start_s < 9
    assert found.measures.speech_s > 5


def test_of_two_speakers_in_a_row_one_is_chosen() -> None:
    found = choose(voice(), recording(said("1688", seconds=30), said("2033", seconds=30)), RULES)
    assert found.end_s <= 31 or found.start_s >= 29
    assert found.measures.voices_p10 > 0.3


def test_two_speakers_taking_turns_are_refused() -> None:
    a, b = said("1688", seconds=30), said("2033", seconds=30)
    turns = [part for k in range(10) for part in (a[k * 48000 : (k + 1) * 48000], b[k * 48000 : (k + 1) * 48000])]
    failure = refusal(lambda: choose(voice(), recording(*turns), RULES))
    assert failure.code == "several_voices"
    assert failure.value is not None
    assert failure.limit is not None
    assert failure.value < failure.limit


@pytest.mark.parametrize("seconds", [6.0, 5.96, 30.0, 30.04])
def test_the_bounds_pass_and_so_does_a_codecs_padding(seconds: float) -> None:
    measures, _ = inspect(voice(), recording(said("3331", seconds=seconds)), RULES)
    assert measures.duration_s == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (said("3331", seconds=2.1), "too_short", "2.1 s long, 6 s needed; hand in at least 3.9 s more"),
        (quiet(10) * 0, "silent", "level -100 dBFS and nobody speaks, -60 dBFS needed; check the microphone"),
        (quiet(10) * 100, "speech_too_short", "0.0 s of speech in 10.0 s of sound; record a person speaking"),
        (
            np.concatenate([said("3331", seconds=2.5), quiet(9)]),
            "speech_too_short",
            "speak for at least 1.6 s more",
        ),
    ],
)
def test_refusals_say_value_limit_and_way_out(given: Samples, code: str, message: str) -> None:
    for judge in (choose, inspect):
        failure = refusal(lambda judge=judge: judge(voice(), recording(given), RULES))  # type: ignore[misc]
        assert failure.code == code
        assert message in failure.message


def test_too_long_is_the_engines_refusal_alone() -> None:
    long = recording(said("3331", seconds=31))
    failure = refusal(lambda: inspect(voice(), long, RULES))
    assert (failure.code, failure.value, failure.limit) == ("too_long", 31.0, 30.0)
    assert "cut out 12 to 24 s of it" in failure.message
    assert choose(voice(), long, RULES).end_s <= 31
    cut_off = decode(wav(said("3331", seconds=31)), limit_s=30)
    assert "more than 30.0 s long" in refusal(lambda: inspect(voice(), cut_off, RULES)).message


def test_speech_that_is_too_far_apart_is_said_to_be() -> None:
    speech = said("3331", seconds=12)
    words = [part for k in range(12) for part in (speech[k * 16000 : (k + 1) * 16000], quiet(12))]
    failure = refusal(lambda: choose(voice(), recording(*words), RULES))
    assert failure.code == "speech_too_short"
    assert re.search(r"\d\d\.\d s more are in the same recording, 1\.\d s of it at \d\d:\d\d-\d\d", failure.message)
    assert "too far apart for one sample; record continuous speech" in failure.message


def test_a_recording_of_one_channel_is_read_once() -> None:
    asked: list[int | None] = []

    def read(channel: int | None) -> Recording:
        asked.append(channel)
        return recording(said("3331", seconds=15))

    assert mine(voice(), read, RULES).windows
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("seconds", "narrow", "codes"), [(12, False, ()), (9, False, ("short",)), (9, True, ("narrow_band", "short"))]
)
def test_advice_says_what_stays_below_the_best(seconds: int, narrow: bool, codes: tuple[str, ...]) -> None:  # noqa: FBT001
    measured = inspect(voice(), recording(said("3331", seconds=seconds)), RULES)[0]
    found = advice(replace(measured, narrow_band=narrow), RULES)
    assert found == codes
    assert set(found) <= ADVICE.keys()


def test_profiles_differ_in_the_best_length() -> None:
    assert Rules.for_profile("2022").best_max_s == 24
    assert Rules.for_profile("2024").best_max_s == 30
    assert choose(voice(), recording(said("3331", seconds=60)), Rules.for_profile("2024")).measures.duration_s > 25


@settings(deadline=None, max_examples=40)
@given(st.floats(0.02, 5.9))
def test_who_records_what_the_message_says_passes(seconds: float) -> None:
    sound = quiet(seconds)
    failure = refusal(lambda: choose(voice(), recording(sound), RULES))
    more = re.search(r"at least ([\d.]+) s more", failure.message)
    assert more
    again = refusal(lambda: choose(voice(), recording(sound, quiet(float(more[1]))), RULES))
    assert again.code != "too_short"


@settings(deadline=None, max_examples=300)
@given(
    lengths=st.lists(st.tuples(st.floats(0.3, 40), st.floats(0.1, 20)), min_size=1, max_size=30),
    best_max=st.sampled_from([24.0, 30.0]),
)
def test_every_stretch_keeps_to_the_lengths_and_to_its_own_material(
    lengths: list[tuple[float, float]], best_max: float
) -> None:
    spans, at = [], 0.0
    for talk, pause in lengths:
        spans.append(Span(at + pause, at + pause + talk))
        at += pause + talk
    duration = max(at, 6.0)
    bounds = windows.Lengths(6.0, 12.0, best_max)
    clipped = np.zeros(int(duration / 0.032), np.float32)
    found: list[Span] = []
    while len(found) < 3 and (
        best := windows.best(tuple(spans), duration_s=duration, lengths=bounds, clipped=clipped, taken=found)
    ):
        assert 0 <= best.start_s < best.end_s <= duration
        assert 6.0 - 1e-6 <= best.duration_s <= best_max + 1e-6
        for other in found:
            shared = min(best.end_s, other.end_s) - max(best.start_s, other.start_s)
            assert shared <= 0.5 * min(best.duration_s, other.duration_s) + 1e-6
        found.append(best)
    assert found
