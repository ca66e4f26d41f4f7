"""Who speaks when, on real speech: two readers in turn, one, none; known, counted, on channels, at once."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.voice.diarize import Diarized, diarize
from engine.voice.people import people
from engine.voice.preflight import Rules, inspect
from engine.voice.recording import Recording
from engine.voice.samples import sixteen_bits
from engine.voice.voiceprint import SamplePrint
from tests.support.der import Said, errors
from tests.support.speech import said, speakers
from tests.support.voices import voice

TURN_S = 4.0
WHO = (0, 1, 0, 1, 0)


def names() -> list[str]:
    return sorted(speakers())[:2]


def recorded(*channels: NDArray[np.float32]) -> Callable[[int | None], Recording]:
    def read(channel: int | None) -> Recording:
        sound = channels[channel] if channel is not None else np.stack(channels).mean(axis=0)
        return Recording(sixteen_bits(sound), 16000, len(channels), len(sound) / 16000, truncated=False)

    return read


def call() -> tuple[list[NDArray[np.float32]], list[Said]]:
    """Two readers in turn, each on a channel of its own with a room's noise, 4 s at a time; who reads when."""
    rng = np.random.default_rng(1)
    sides = [said(name, seconds=TURN_S * WHO.count(side)) for side, name in enumerate(names())]
    size = round(TURN_S * 16000)
    channels = [3e-4 * rng.standard_normal(size * len(WHO)).astype(np.float32) for _ in sides]
    truth = []
    for turn, who in enumerate(WHO):
        at = WHO[:turn].count(who) * size
        channels[who][turn * size : (turn + 1) * size] += sides[who][at : at + size]
        truth.append(Said(turn * TURN_S, (turn + 1) * TURN_S, names()[who]))
    return channels, truth


def print_of(name: str) -> Sequence[SamplePrint]:
    sound = sixteen_bits(said(name, seconds=12, skip=4))
    return [inspect(voice(), Recording(sound, 16000, 1, 12.0, truncated=False), Rules(min_s=5))[1]]


def confused(found: Diarized, truth: Sequence[Said]) -> float:
    """Share of the truth that is another's; pauses of the readers don't count."""
    told = errors(truth, [Said(one.start_s, one.end_s, one.speaker) for one in found.turns])
    return told.confused_s / told.truth_s


def test_two_in_one_channel_are_told_apart_and_counted() -> None:
    channels, truth = call()
    found = diarize(voice(), recorded(sum(channels, start=np.zeros(1, np.float32))))
    assert found.speaker_count == 2
    assert found.turns[0].speaker == "0"
    assert {one.speaker for one in found.turns} == {"0", "1"}
    assert confused(found, truth) < 0.05
    assert list(found.turns) == sorted(found.turns, key=lambda one: one.start_s)
    assert all(0 <= one.start_s < one.end_s <= 20 and 0.5 < one.confidence <= 1 for one in found.turns)


def test_who_is_known_has_an_id_and_a_stranger_a_number() -> None:
    channels, truth = call()
    _, second = names()
    others = {name: print_of(name) for name in sorted(speakers())[1:4]}
    read = recorded(*channels)
    for by_channel in (False, True):
        found = diarize(voice(), read, known=others, by_channel=by_channel)
        assert {one.speaker for one in found.turns} == {"0", second}
        assert confused(found, truth) < 0.05
        assert {one.speaker for one in found.turns if 4.5 < (one.start_s + one.end_s) / 2 < 7.5} == {second}


def test_a_stranger_is_never_called_by_a_known_id() -> None:
    channels, _ = call()
    found = diarize(voice(), recorded(*channels), known={"0": print_of(names()[1])})
    assert {one.speaker for one in found.turns} == {"0", "1"}
    assert found.turns[0].speaker == "1"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_given_count_is_kept(count: int) -> None:
    channels, _ = call()
    found = diarize(voice(), recorded(*channels), speaker_count=count)
    assert found.speaker_count <= count
    assert found.speaker_count >= min(count, 2)


def test_each_channel_is_a_speaker() -> None:
    channels, truth = call()
    quiet = 10 ** (-25 / 20)
    leaking = [one + np.float32(quiet) * other for one, other in (channels, channels[::-1])]
    found = diarize(voice(), recorded(*leaking), by_channel=True)
    assert found.speaker_count == 2
    assert confused(found, truth) == 0


def test_channels_of_the_same_sound_are_told_apart_by_voice() -> None:
    channels, truth = call()
    both = sum(channels, start=np.zeros(1, np.float32))
    for read in (recorded(both), recorded(both, both)):
        found = diarize(voice(), read, by_channel=True)
        assert found.speaker_count == 2
        assert confused(found, truth) < 0.05


def test_two_at_once_have_turns_that_overlap() -> None:
    first, second = names()
    sound = said(first, seconds=20)
    sound[8 * 16000 : 11 * 16000] += said(second, seconds=3)
    sound[14 * 16000 :] = said(second, seconds=6, skip=2)
    found = diarize(voice(), recorded(sound))
    both = [
        min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
        for a in found.turns
        for b in found.turns
        if a.speaker < b.speaker and a.start_s < b.end_s and b.start_s < a.end_s
    ]
    assert found.speaker_count == 2
    assert 1.0 < sum(both) < 4.0
    assert all((a.start_s + a.end_s) / 2 > 7.5 for a in found.turns if a.speaker == "1")


def test_one_reader_is_one() -> None:
    for name in names():
        found = diarize(voice(), recorded(said(name, seconds=20)))
        assert found.speaker_count == 1
        assert {one.speaker for one in found.turns} == {"0"}
        assert sum(one.end_s - one.start_s for one in found.turns) > 12


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3, 10.0])
def test_nobody_has_no_turns(seconds: float, by_channel: bool) -> None:  # noqa: FBT001
    noise = 1e-4 * np.random.default_rng(2).standard_normal(round(seconds * 16000)).astype(np.float32)
    assert diarize(voice(), recorded(noise), by_channel=by_channel) == Diarized(0, ())
    assert diarize(voice(), recorded(noise, noise), by_channel=by_channel) == Diarized(0, ())


def test_a_word_is_too_short_for_a_voiceprint_and_yet_somebody_speaks() -> None:
    sound = said(names()[0], seconds=3.0)
    sound[: round(2.6 * 16000)] = 0
    found = diarize(voice(), recorded(sound), known={"ann": print_of(names()[1])})
    assert [one.speaker for one in found.turns] == ["0"]
    assert found.speaker_count == 1


def test_a_count_under_one_is_refused() -> None:
    with pytest.raises(ValueError, match="speaker_count is 0, at least 1"):
        diarize(voice(), recorded(np.zeros(16000, np.float32)), speaker_count=0)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.integers(0, 1000))
def test_people_far_apart_are_found_in_any_order(whose: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.eye(32)[whose] + 0.1 * rng.standard_normal((len(whose), 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    enough = {one for one in whose if whose.count(one) >= max(2, 0.05 * len(whose))}
    found = people(vectors, np.ones(len(whose)))
    assert len(enough) <= len(found) or not enough
    assert len(found) <= max(1, len(set(whose)))
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert len(people(vectors, np.ones(len(whose)), count=1)) == 1
