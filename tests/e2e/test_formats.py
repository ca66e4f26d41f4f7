"""Raw GSM and G.722 have no header: what tells them is a name or a media type, whichever way they come in."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from config.settings import Settings, load
from engine.voice.recording import cut
from tests.support.encoding import encoded
from tests.support.line import Line, line
from tests.support.serving import serving
from tests.support.speech import said
from worker.enrollment.record import RecordingId, SpeakerId
from worker.prepare import prepare

WHO = SpeakerId("anna")


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Line]:
    intake = settings.intake.model_copy(update={"allow_private": True})
    async with line(settings.model_copy(update={"intake": intake})) as one:
        yield one


def recording(kind: str) -> bytes:
    """15 s and more of one person."""
    if kind == "g722":
        return encoded(kind, said("1688", seconds=15))
    prompts = sorted((load().cache_dir / "voices" / "asterisk-prompt-fr-armelle").rglob("vm-*.gsm"))
    if not prompts:
        pytest.skip("GSM prompts come from a Debian package: run the demo once")
    return b"".join(prompt.read_bytes() for prompt in prompts)[: 33 * 50 * 25]  # 50 frames a second


async def prepared(here: Line, answer: aiohttp.ClientResponse) -> str:
    assert answer.status == 202, await answer.text()
    document = await answer.json()
    return await prepare(here.shop, WHO, RecordingId(document["samples"][0]["recordingId"]), job_try=1)


async def recipe_holds(here: Line, content: bytes, path: Path) -> None:
    """The recipe makes the sample's very bytes of the recording's, under the name that its source has."""
    clip = (await here.record(WHO)).samples[0].clip
    assert clip is not None
    recipe = clip.recipe
    path.write_bytes(content)
    made = cut(path, start_s=recipe.start_s, end_s=recipe.end_s, channel=recipe.channel)
    assert hashlib.sha256(made).hexdigest() == recipe.sample_sha256


@pytest.mark.parametrize("kind", ["gsm", "g722"])
@pytest.mark.parametrize(
    ("name", "media_type"), [("call.{}", "application/octet-stream"), ("call", "audio/{}"), ("1.{}", "audio/wav")]
)
async def test_an_upload_is_known_by_its_name_or_type(
    here: Line, tmp_path: Path, *, kind: str, name: str, media_type: str
) -> None:
    content, form = recording(kind), aiohttp.FormData({"speakerId": WHO})
    form.add_field("recording", content, filename=name.format(kind.upper()), content_type=media_type.format(kind))
    async with here.door.post("/v1/enrollments", data=form) as answer:
        assert await prepared(here, answer) == "ready"
    source = (await here.record(WHO)).samples[0].source
    assert source.endswith(f"{hashlib.sha256(content).hexdigest()}.{kind}")
    await recipe_holds(here, content, tmp_path / Path(source).name)


@pytest.mark.parametrize("kind", ["gsm", "g722"])
@pytest.mark.parametrize(
    ("name", "media_type"), [("call.{}", "application/octet-stream"), ("call", "audio/{}; rate=1")]
)
async def test_a_url_is_known_by_its_path_or_its_answers_type(
    here: Line, tmp_path: Path, *, kind: str, name: str, media_type: str
) -> None:
    content = recording(kind)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=content, headers={"Content-Type": media_type.format(kind.upper())})

    app = web.Application()
    app.add_routes([web.get("/{name}", answer)])
    async with serving(app) as url:
        body = {"speakerId": WHO, "recordings": [{"source": f"{url}/{name.format(kind)}?token=1.wav"}]}
        async with here.door.post("/v1/enrollments", json=body) as accepted:
            assert await prepared(here, accepted) == "ready"
    await recipe_holds(here, content, tmp_path / f"call.{kind}")


async def test_what_has_no_name_and_no_type_is_refused(here: Line) -> None:
    form = aiohttp.FormData({"speakerId": WHO})
    form.add_field("recording", recording("g722"), filename="call", content_type="application/octet-stream")
    async with here.door.post("/v1/enrollments", data=form) as answer:
        assert await prepared(here, answer) in {"not_audio", "corrupt"}
