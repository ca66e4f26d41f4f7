"""How many speakers stand, in one answer: those that are known, with what a plan needs of them."""

import aiohttp
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.door import front_door
from tests.support.lives import MEASURES, START, recipe
from worker.enrollment.facts import (
    EnrollmentSeen,
    RecordingPlanned,
    SampleHeld,
    SampleReady,
    SampleReleased,
    SpeakerErased,
)
from worker.enrollment.record import Enrollment, Quality, RecordingId, SpeakerId
from worker.store.apikeys import ApiKeys, Scope, made
from worker.store.status import StatusStore

WHAT = RecordingId("r1")


async def test_the_known_are_told_and_the_others_left_out(door: aiohttp.ClientSession, store: StatusStore) -> None:
    seen = Enrollment(audio_s=30, speech_s=28, complete=True, quality=Quality.GOOD)
    await store.apply(SpeakerId("anna"), EnrollmentSeen(at=START, enrollment=seen))
    await store.apply(SpeakerId("ben"), SpeakerErased(at=START))
    planned = RecordingPlanned(at=START, recording_id=WHAT, source="http://x/a.wav", name="a.wav")
    ready = SampleReady(at=START, recording_id=WHAT, recipe=recipe(), measures=MEASURES, object_key="c")
    held = SampleHeld(at=START, recording_id=WHAT, code="different_voice", message="-")
    await store.apply(SpeakerId("clara"), planned, ready, held)
    await store.apply(SpeakerId("dora"), planned, ready, held, SampleReleased(at=START, recording_id=WHAT))
    ids = ["clara", "anna", "nobody", "ben", "dora"]
    async with door.post("/v1/lookup", json={"speakerIds": ids}) as answer:
        told = (await answer.json())["speakers"]
    assert [one["speakerId"] for one in told] == ["clara", "anna", "ben", "dora"]
    clara, anna, ben, dora = told
    assert (anna["enrollmentComplete"], anna["goalMet"], anna["totalSpeechDuration"]) == (True, False, 28.0)
    assert (ben["state"], ben["enrollmentComplete"]) == ("erased", False)
    assert (clara["doubts"], dora["doubts"]) == (["different_voice"], [])


@pytest.mark.parametrize(
    ("ids", "code"),
    [([], "invalid_request"), (["a"] * 1001, "invalid_request"), (["a b"], "speaker_id_invalid")],
)
async def test_too_many_none_or_what_is_no_id_is_refused(
    door: aiohttp.ClientSession, ids: list[str], code: str
) -> None:
    async with door.post("/v1/lookup", json={"speakerIds": ids}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, code)


async def test_reading_is_enough_to_look_up(settings: Settings, redis: ArqRedis) -> None:
    webhook = settings.webhook.model_copy(update={"keys": "required"})
    async with front_door(settings.model_copy(update={"webhook": webhook})) as door:
        for scopes, status in (((Scope.READ,), 200), ((Scope.ENROLL,), 403)):
            key, shown = made("test", scopes, now=START, expires_at=None)
            await ApiKeys(redis, account=settings.account).put(key)
            headers = {"Authorization": f"Bearer {shown}"}
            async with door.post("/v1/lookup", json={"speakerIds": ["anna"]}, headers=headers) as answer:
                assert answer.status == status, await answer.text()
