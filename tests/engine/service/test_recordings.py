"""Jobs about recordings: identification and diarization, answered by 202, callback and a look at the job."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.service.listen import whole
from engine.voice.apart import Decoders
from engine.voice.failure import VoiceFailure
from tests.support.engine import Answer, Rc, Receiver, sample
from tests.support.speech import said, speakers, wav

Clip = Callable[..., bytes]
IDENTIFY, DIARIZE = "/ai/audio/v1/async/speaker-identify", "/ai/audio/v1/async/speaker-diarize"


async def ask(
    rc: Rc, path: str, audio: bytes = b"RIFF", *, params: dict[str, str] | None = None, **body: Any
) -> Answer:
    whole = {name: value for name, value in (sample(audio) | body).items() if value is not ...}
    return await rc.call("POST", path, json=whole, params=params or {})


async def test_who_speaks_when_is_told_by_callback(rc: Rc, clip: Clip, receiver: Receiver) -> None:
    await rc.enroll("ann", clip(0, 0, seconds=20))
    talk = wav(np.concatenate([said(who, seconds=12, skip=4) for who in sorted(speakers())[:2]]))
    accepted = await ask(rc, IDENTIFY, talk, speakerIds=["ann"], params={"webhook": f"{receiver.url}/x?a=%2F"})
    assert (accepted.status, list(accepted.body)) == (202, ["jobId"])
    request, told = await receiver.next()
    assert request.path_qs == "/x?a=%2F"
    assert (told["jobId"], told["api"], told["status"]) == (accepted.body["jobId"], IDENTIFY, "Success")
    names = [one["speakerId"] for one in told["response"]["utterances"]]
    assert names == ["ann", "UserNotIdentified", "UserNotIdentified"]  # windows of one speaker are one utterance
    assert told == (await rc.job(accepted.body["jobId"])).body


def two_voices() -> list[NDArray[np.float32]]:
    """Ann, and then Bob."""
    return [said(who, seconds=12, skip=4) for who in sorted(speakers())[:2]]


async def diarized(rc: Rc, audio: bytes, **body: Any) -> Any:
    accepted = await ask(rc, DIARIZE, audio, **body)
    assert await rc.ended(accepted.body["jobId"], within_s=60) == "Success"
    return (await rc.job(accepted.body["jobId"])).body["response"]


@pytest.mark.parametrize("count", [..., -1, 2])
async def test_voices_are_told_apart_and_known_ones_named(rc: Rc, clip: Clip, count: Any) -> None:
    await rc.enroll("bob", clip(1, 0, seconds=20))
    found = await diarized(rc, wav(np.concatenate(two_voices())), speakerCount=count, speakerIds=["bob"])
    assert found["speakerCount"] == 2
    halves = {"0": (0.0, 12.5), "bob": (11.5, 24.0)}
    assert {one["speakerId"] for one in found["utterances"]} == set(halves)
    for one in found["utterances"]:
        least, most = halves[one["speakerId"]]
        assert least <= one["start"] < one["end"] <= most
        assert 0 <= one["confidence"] <= 1


async def test_each_channel_may_have_its_speaker(rc: Rc) -> None:
    ann, bob = two_voices()
    silence = np.zeros(len(ann), np.float32)
    call = wav([np.concatenate([ann, silence]), np.concatenate([silence, bob])])
    found = await diarized(rc, call, separateSpeakerPerChannel=True)
    assert found["speakerCount"] == 2
    assert found["utterances"][0]["speakerId"] == "0"
    assert found["utterances"][-1]["speakerId"] == "1"


def test_a_recording_that_is_too_long_is_refused_not_cut_off(tmp_path: Path) -> None:
    three_s = tmp_path / "three.wav"
    three_s.write_bytes(wav(np.zeros(3 * 16000, np.float32)))
    with Decoders() as decoders:
        assert whole(decoders, three_s, limit_s=3.0).duration_s == 3.0
        with pytest.raises(VoiceFailure, match=r"too_long: longer than 0\.05 min"):
            whole(decoders, three_s, limit_s=2.999)


async def test_turns_are_told_by_the_job_alone_without_a_webhook(rc: Rc, clip: Clip) -> None:
    accepted = await ask(rc, DIARIZE, clip(), speakerCount=1)
    assert accepted.status == 202
    assert await rc.ended(accepted.body["jobId"]) == "Success"
    found = (await rc.job(accepted.body["jobId"])).body["response"]
    assert found["speakerCount"] == 1
    assert {one["speakerId"] for one in found["utterances"]} == {"0"}
    assert all(0 <= one["start"] < one["end"] <= 8.0 for one in found["utterances"])


async def test_what_is_no_audio_is_a_fail(rc: Rc, receiver: Receiver) -> None:
    accepted = await ask(rc, DIARIZE, b"this is no audio", params={"webhookUrl": receiver.url})
    _, told = await receiver.next()
    assert (told["jobId"], told["status"]) == (accepted.body["jobId"], "Fail")
    error = told["response"]["errors"][0]
    assert (error["errorCode"], error["parameterName"]) == ("CAI-101", "content")
    assert error["message"].startswith("not_audio: ")


@pytest.mark.parametrize("path", [IDENTIFY, DIARIZE])
async def test_every_named_speaker_must_be_enrolled_and_complete(rc: Rc, clip: Clip, path: str) -> None:
    await rc.enroll("short", clip(0, 0, seconds=7))
    for ids, code in ((["nobody"], "not_enrolled"), (["short"], "not_complete")):
        for spelling in ("speakerIds", "enrollmentIds"):
            named: dict[str, Any] = {spelling: ids}
            answer = await ask(rc, path, clip(), **named)
            assert (answer.status, answer.code, answer.error["errorCode"]) == (400, code, "CAI-101")
            assert answer.error["parameterName"] == "speakerIds"
            assert ids[0] in answer.error["message"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"languageCode": ...}, "languageCode"),
    ({"languageCode": 7}, "languageCode"),
    ({"encoding": "mp3"}, "encoding"),
    ({"source": 1}, "source"),
    ({"audioType": "Party"}, "audioType"),
    ({"enableVoiceActivityDetection": "yes"}, "enableVoiceActivityDetection"),
    ({"content": ...}, "content"),
    ({"contentUri": "https://example.com/a.wav"}, "contentUri"),
    ({"content": ..., "contentUri": "file:///etc/passwd"}, "contentUri"),
    ({"content": ..., "contentUri": ["https://example.com/a.wav"]}, "contentUri"),
    ({"speakerIds": "ann"}, "speakerIds"),
    ({"speakerIds": ["a-b"]}, "speakerIds"),
]


BAD_OF: dict[str, list[tuple[dict[str, Any], str]]] = {
    IDENTIFY: [*BAD, ({"speakerIds": ...}, "speakerIds"), ({"speakerIds": []}, "speakerIds")],
    DIARIZE: [
        *BAD,
        ({"speakerIds": ..., "speakerCount": -2}, "speakerCount"),
        ({"speakerIds": ..., "speakerCount": True}, "speakerCount"),
        ({"speakerIds": ..., "speakerCount": 1.5}, "speakerCount"),
        ({"speakerIds": ..., "separateSpeakerPerChannel": 1}, "separateSpeakerPerChannel"),
    ],
}


@pytest.mark.parametrize("path", BAD_OF)
async def test_each_bad_parameter_is_named(deaf: Rc, path: str) -> None:
    for change, parameter in BAD_OF[path]:
        answer = await ask(deaf, path, **({"speakerIds": ["ann"]} | change))
        assert (answer.status, answer.error["errorCode"]) == (400, "CAI-101"), change
        assert answer.error["parameterName"] == parameter


@pytest.mark.parametrize("count", [..., 0, -1, 2])
async def test_what_may_be_asked(deaf: Rc, count: Any) -> None:
    answer = await ask(
        deaf,
        DIARIZE,
        speakerCount=count,
        separateSpeakerPerChannel=True,
        enableVoiceActivityDetection=True,
        source="Phone",
        audioType="Voicemail",
        enableWordTimings=True,
        speakerIds=[],
    )
    assert answer.status == 202
