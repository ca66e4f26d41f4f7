"""The right stretch of the right voice, and the code of each defect: a few cases of the mining bench, and edges."""

import numpy as np
import pytest

from engine.voice import preflight
from engine.voice.likeness import KnownVoice, known, make
from engine.voice.preflight import Found, Rules, Search, mine
from engine.voice.recording import Recording, decode
from engine.voice.samples import RATE_HZ
from tests.bench.mining.cases import KINDS, Case, case
from tests.support import corpus
from tests.support.speech import said, wav
from tests.support.voices import voice

_MUSIC = {"music", "music within"}
_SPOILT = sorted(kind for kind in KINDS if " " not in kind)


def found_in(one: Case, search: Search | None = None) -> Found:
    data = one.encoded()

    def read(channel: int | None) -> Recording:
        return decode(data, channel=channel)

    return mine(voice(), read, Rules(), search)


def own_share(one: Case, found: Found, speaker: str) -> float:
    window = found.windows[0]
    return one.call.share_of(speaker, window.start_s, window.end_s)


def voice_of(name: str) -> KnownVoice | None:
    talker = next(talker for talker in corpus.talkers() if talker.name == name)
    return known([make(voice(), np.concatenate(talker.held_out)[: 20 * RATE_HZ])])


@pytest.mark.parametrize("kind", _SPOILT)
def test_a_spoilt_recording_is_refused_by_its_code(kind: str) -> None:
    if kind in _MUSIC and not corpus.music():
        pytest.skip("hold music comes from a Debian package, and there is no apt")
    one = case(kind, 0)
    found = found_in(one)
    assert found.refusal
    assert found.refusal.code in one.codes
    assert not found.windows
    assert found.refusal.message.count(";") >= 1  # what was measured; what to do


@pytest.mark.parametrize("kind", ["clean wide", "clean telephone", "clean mp3 8 kHz", "clean opus", "clean amr"])
def test_a_clean_recording_is_usable_through_every_codec(kind: str) -> None:
    found = found_in(case(kind, 1))
    assert found.refusal is None
    assert found.people == 1
    assert not found.music
    assert not found.tones


@pytest.mark.parametrize("kind", ["two channels", "one channel"])
def test_the_one_who_speaks_most_is_cut_out_of_a_call(kind: str) -> None:
    one = case(kind, 1)
    found = found_in(one)
    assert own_share(one, found, one.call.target) > 0.95
    assert found.windows[0].end_s - found.windows[0].start_s >= Rules().min_s


@pytest.mark.parametrize("kind", ["two channels", "one channel"])
def test_the_known_voice_is_cut_out_though_another_speaks_more(kind: str) -> None:
    everybody = corpus.talkers()
    a, b = everybody[-1], everybody[-3]
    stage = corpus.Stage(2 if kind == "two channels" else 1, np.random.default_rng(5))
    for number in range(4):
        for utterance in b.utterances[2 * number : 2 * number + 2]:
            stage.say(b.name, utterance, channel=0, gap_s=0.3)
        stage.say(
            a.name, np.concatenate(a.utterances[2 * number : 2 * number + 2]), channel=stage.channels - 1, gap_s=0.4
        )
    mixed, turns = stage.finish()
    one = Case(kind, corpus.Call(kind, mixed, a.name, turns))
    assert one.call.speech_s(b.name) > 30
    assert own_share(one, found_in(one, Search(known=voice_of(b.name))), b.name) > 0.95
    assert own_share(one, found_in(one, Search(known=voice_of(a.name))), a.name) > 0.95


def test_leakage_is_measured_and_is_nobodys_speech() -> None:
    one = case("two channels", 2)  # leaks by -20 dB both ways
    found = found_in(one)
    assert [leg.leakage_db for leg in found.legs] == pytest.approx([-20, -20], abs=2)
    loud = sum(turn.speech_s for turn in one.call.turns if turn.speaker == one.call.target)
    assert found.leg.speech_s < loud * 1.15


def test_the_same_sound_on_both_channels_is_one_recording() -> None:
    one = case("clean wide", 2)
    stereo = Case("", corpus.Call("twice", one.call.channels * 2, one.call.target, one.call.turns))
    found = found_in(stereo)
    assert len(found.legs) == 1
    assert found.windows[0].channel is None
    assert found.windows[0].start_s == pytest.approx(found_in(one).windows[0].start_s, abs=0.1)


def test_several_stretches_come_best_first_and_are_of_their_own_material() -> None:
    one = case("one channel", 13)
    windows = found_in(one, Search(want=3)).windows
    assert len(windows) >= 2
    for a in windows:
        for b in windows:
            shared = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
            assert a is b or shared <= 0.5 * min(a.end_s - a.start_s, b.end_s - b.start_s) + 0.01


def test_tones_within_are_found_and_kept_out() -> None:
    one = case("tones within", 3)
    found = found_in(one)
    planted = one.call.planted[0]
    assert any(tone.start_s < planted.end_s and tone.end_s > planted.start_s for tone in found.tones)
    window = found.windows[0]
    assert min(window.end_s, planted.end_s) - max(window.start_s, planted.start_s) < 1


def test_choose_takes_the_first_of_what_is_mined() -> None:
    recording = decode(case("clean wide", 4).encoded())
    first = mine(voice(), lambda _channel: recording, Rules()).windows[0]
    assert preflight.choose(voice(), recording, Rules()) == first


def test_a_part_alone_is_searched_and_its_times_are_those_of_the_whole() -> None:
    first, second = (said(name, seconds=30) for name in ("1688", "2033"))
    data = wav(np.concatenate([first, second]))
    found = mine(voice(), lambda channel: decode(data, channel=channel, start_s=30.0, end_s=60.0), Rules())
    (window,) = found.windows
    assert (window.start_s >= 30, window.end_s <= 60) == (True, True)
    assert all(30 <= span.start_s < span.end_s <= 60.1 for span in found.spans)
    whole = mine(voice(), lambda channel: decode(wav(second), channel=channel), Rules()).windows[0]
    assert (window.start_s - 30, window.end_s - 30) == pytest.approx((whole.start_s, whole.end_s), abs=0.001)
    assert window.measures == whole.measures


def test_what_is_wrong_with_a_part_is_said_with_the_times_of_the_whole() -> None:
    quiet = np.concatenate([said("1688", seconds=20), said("2033", seconds=2), np.zeros(16000 * 10, np.float32)])
    data = wav(quiet)
    found = mine(voice(), lambda channel: decode(data, channel=channel, start_s=20.0), Rules())
    assert found.refusal
    assert (found.refusal.code, " at 00:2" in found.refusal.message) == ("speech_too_short", True)
    assert all(one.start_s >= 20 for one in found.refused)
