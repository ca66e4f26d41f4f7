"""Jobs about recordings: identification and diarization, answered by 202, callback and a look at the job."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

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
    assert names == ["ann", "ann", "UserNotIdentified", "UserNotIdentified"]
    assert told == (await rc.job(accepted.body["jobId"])).body


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


BAD = [
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


@pytest.mark.parametrize(
    ("path", "change", "parameter"),
    [
        *((path, *bad) for path in (IDENTIFY, DIARIZE) for bad in BAD),
        (IDENTIFY, {"speakerIds": ...}, "speakerIds"),
        (IDENTIFY, {"speakerIds": []}, "speakerIds"),
        (DIARIZE, {"speakerIds": ..., "speakerCount": -2}, "speakerCount"),
        (DIARIZE, {"speakerIds": ..., "speakerCount": True}, "speakerCount"),
        (DIARIZE, {"speakerIds": ..., "speakerCount": 1.5}, "speakerCount"),
        (DIARIZE, {"speakerIds": ..., "separateSpeakerPerChannel": 1}, "separateSpeakerPerChannel"),
    ],
)
async def test_each_bad_parameter_is_named(deaf: Rc, path: str, change: dict[str, Any], parameter: str) -> None:
    answer = await ask(deaf, path, **({"speakerIds": ["ann"]} | change))
    assert (answer.status, answer.error["errorCode"]) == (400, "CAI-101")
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
