"""Who speaks when, among real people."""

from collections.abc import Callable

import numpy as np

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
    assert [(one["start"], one["end"]) for one in found] == [(at, at + 6) for at in range(0, 36, 6)]
    names = [one["speakerId"] for one in found]
    assert names == ["ann", "ann", "bob", "bob", "UserNotIdentified", "UserNotIdentified"]
    assert all(0 <= one["confidence"] <= 1 for one in found)


async def test_every_id_must_be_enrolled_and_complete(rc: Rc, clip: Clip) -> None:
    await rc.enroll("short", clip(0, 0, seconds=7))
    unknown = await identify(rc, clip(), enrollmentIds=["nobody"])
    incomplete = await identify(rc, clip(), speakerIds=["short"])
    for answer, code in ((unknown, "not_enrolled"), (incomplete, "not_complete")):
        assert (answer.status, answer.code, answer.error["parameterName"]) == (400, code, "speakerIds")
    wrong: list[dict[str, list[str]]] = [{}, {"speakerIds": []}, {"speakerIds": ["a"], "enrollmentIds": ["b"]}]
    for bad in wrong:
        assert (await identify(rc, clip(), **bad)).status == 400
