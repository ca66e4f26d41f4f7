"""Where the front door asks callbacks for a proof, it takes the engine's own, and nobody's without it."""

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.settings import Settings
from tests.support.line import Line, line
from tests.support.speech import said, wav
from voxroll.up.note import Running
from voxroll.up.secrets import Secrets, environment
from worker.enrollment.record import RecordingId, SpeakerId
from worker.prepare import prepare
from worker.reconcile import reconcile
from worker.submit import submit

WHO = SpeakerId("anna")
SECRET, OTHER = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (7, 8))


def signing(settings: Settings, *, door: str, engine: str) -> Settings:
    return settings.model_copy(
        update={
            "webhook": settings.webhook.model_copy(update={"signing_secret": SecretStr(door)}),
            "engine": settings.engine.model_copy(update={"signing_secret": SecretStr(engine)}),
        }
    )


async def submitted(one: Line, recording: Path) -> None:
    document = await one.hand_in(WHO, recording)
    await prepare(one.shop, WHO, RecordingId(document["samples"][0]["recordingId"]), job_try=1)
    await submit(one.shop, WHO)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "call.wav"
    path.write_bytes(wav(said("1688", seconds=9)))
    return path


@pytest.mark.parametrize("engine", [SECRET, f"{OTHER} {SECRET}"], ids=["the same", "one of two"])
async def test_the_engines_callback_passes_a_door_that_asks_for_signatures(
    settings: Settings, recording: Path, engine: str
) -> None:
    async with line(signing(settings, door=SECRET, engine=engine)) as one:
        await submitted(one, recording)
        await reconcile(one.shop, (await one.callbacks())[0])
        assert (await one.document(WHO))["samples"][0]["state"] == "applied"


@pytest.mark.parametrize(("engine", "code"), [("", "callback_unsigned"), (OTHER, "callback_signature_invalid")])
async def test_without_the_right_secret_it_is_refused(
    settings: Settings, recording: Path, engine: str, code: str
) -> None:
    async with line(signing(settings, door=SECRET, engine=engine)) as one:
        await submitted(one, recording)
        assert await one.refused() == code


@pytest.mark.parametrize("token", ["word", "wrong"])
async def test_a_verification_token_is_sent_along(settings: Settings, recording: Path, token: str) -> None:
    asked = settings.webhook.model_copy(update={"verification_token": SecretStr("word")})
    sent = settings.engine.model_copy(update={"verification_token": SecretStr(token)})
    async with line(settings.model_copy(update={"webhook": asked, "engine": sent})) as one:
        await submitted(one, recording)
        if token == "word":
            assert await one.callbacks()
        else:
            assert await one.refused() == "callback_unverified"


def test_up_gives_the_engine_the_doors_secret(settings: Settings) -> None:
    running = Running(pid=1, url="http://d", engine_url="http://e", redis_url="unix:///r")
    made = environment(Secrets(), signing(settings, door=SECRET, engine=""), running)
    assert made["VOXROLL_ENGINE_SIGNING_SECRET"] == SECRET
    assert made["VOXROLL_ENGINE_VERIFICATION_TOKEN"] == ""
