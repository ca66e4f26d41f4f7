"""Who speaks when, among real people."""

from collections.abc import Callable

import numpy as np

from engine.service.identify import SURE, UNKNOWN, Candidates, Utterance, named, turns
from tests.bench.voice.sounds import telephone_band
from tests.support.corpus import through
from tests.support.engine import Answer, Rc, sample
from tests.support.speech import said, speakers, wav

Clip = Callable[..., bytes]


async def identify(rc: Rc, audio: bytes, **ids: list[str]) -> Answer:
    return await rc.call("POST", "/ai/audio/v1/speaker-identify", json={**ids, **sample(audio)})


async def test_known_voices_are_named_and_strangers_are_not(rc: Rc, clip: Clip) -> None:
    ann, bob, stranger = sorted(speakers())[:3]
    for name, number in (("ann", 0), ("bob", 1)):
        await rc.enroll(name, clip(number, 0, seconds=20))
    said_later = [said(who, seconds=12, skip=4) for who in (ann, bob, stranger)]
    talk = wav(np.concatenate([*said_later, np.zeros(6 * 16000, np.float32)]))
    answer = await identify(rc, talk, speakerIds=["ann", "bob"])
    assert answer.status == 200
    found = answer.body["utterances"]
    assert [(one["start"], one["end"], one["speakerId"]) for one in found] == [
        (0, 12, "ann"),
        (12, 24, "bob"),
        (24, 30, UNKNOWN),
        (30, 36, UNKNOWN),
    ]
    assert all(one["confidence"] >= SURE for one in found[:2])
    assert all(0 <= one["confidence"] < SURE for one in found[2:])


async def test_by_a_telephone_line_they_are_known_too(rc: Rc, clip: Clip) -> None:
    ann, bob, stranger = sorted(speakers())[:3]
    for name, number in (("ann", 0), ("bob", 1)):
        await rc.enroll(name, clip(number, 0, seconds=20))
    talk = np.concatenate([said(who, seconds=12, skip=4) for who in (ann, bob, stranger)])
    answer = await identify(rc, through([telephone_band(talk)], "telephone"), speakerIds=["ann", "bob"])
    names = [(one["start"], one["end"], one["speakerId"]) for one in answer.body["utterances"]]
    assert names == [(0, 12, "ann"), (12, 24, "bob"), (24, 30, UNKNOWN), (30, 36, UNKNOWN)]


def test_windows_of_one_speaker_are_one_utterance_and_unknown_voices_stay_apart() -> None:
    windows = [
        Utterance(0, 6, "ann", 0.9),
        Utterance(6, 12, "ann", 1.0),
        Utterance(12, 18, "bob", 0.95),
        Utterance(24, 30, "bob", 0.95),
        Utterance(30, 36, UNKNOWN, 0.1),
        Utterance(36, 40, UNKNOWN, 0.2),
    ]
    found = [(one.start_s, one.end_s, one.speaker_id, round(one.confidence, 3)) for one in turns(windows)]
    assert found == [
        (0, 12, "ann", 0.95),
        (12, 18, "bob", 0.95),
        (24, 30, "bob", 0.95),
        (30, 36, UNKNOWN, 0.1),
        (36, 40, UNKNOWN, 0.2),
    ]
    assert turns([]) == []


def test_a_voice_like_two_of_them_is_nobodys() -> None:
    asked = Candidates(("ann", "twin", "bob"), np.zeros((3, 192), np.float32), np.zeros(3, np.bool_))
    assert named(np.array([0.9, 0.1, 0.1], np.float32), asked, speech_s=5)[0] == "ann"
    assert named(np.array([0.9, 0.89, 0.1], np.float32), asked, speech_s=5)[0] == UNKNOWN
    assert named(np.array([0.4, 0.1, 0.1], np.float32), asked, speech_s=5)[0] == UNKNOWN


async def test_every_id_must_be_enrolled_and_complete(rc: Rc, clip: Clip) -> None:
    await rc.enroll("short", clip(0, 0, seconds=7))
    unknown = await identify(rc, clip(), enrollmentIds=["nobody"])
    incomplete = await identify(rc, clip(), speakerIds=["short"])
    for answer, code in ((unknown, "not_enrolled"), (incomplete, "not_complete")):
        assert (answer.status, answer.code, answer.error["parameterName"]) == (400, code, "speakerIds")
    wrong: list[dict[str, list[str]]] = [{}, {"speakerIds": []}, {"speakerIds": ["a"], "enrollmentIds": ["b"]}]
    for bad in wrong:
        assert (await identify(rc, clip(), **bad)).status == 400
