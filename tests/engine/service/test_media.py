"""contentUri: fetched by the job, from public addresses alone unless told otherwise, and every failure has a code."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from arq.connections import ArqRedis

from config.settings import Settings
from engine.download import DownloadError, Limits, download
from engine.service import keys
from engine.service.store import whole
from tests.support.engine import ENROLLMENTS, Answer, Rc, Receiver, running_engine
from tests.support.serving import serving

Clip = Callable[..., bytes]
DIARIZE = "/ai/audio/v1/async/speaker-diarize"


@dataclass
class Shelf:
    """A server with one recording, and what leads there or not."""

    url: str = ""
    audio: bytes = b""
    unwell: int = 0  # so many requests are answered 503
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        match request.path.strip("/").split("/"):
            case ["audio"] if self.unwell:
                self.unwell -= 1
                return web.Response(status=503)
            case ["audio"]:
                return web.Response(body=self.audio)
            case ["moved", "0"]:
                raise web.HTTPFound("/audio")
            case ["moved", number]:
                raise web.HTTPTemporaryRedirect(f"/moved/{int(number) - 1}")
            case ["inside"]:
                raise web.HTTPFound("http://169.254.169.254/latest/meta-data/")
            case ["file"]:
                raise web.HTTPFound("file:///etc/passwd")
            case _:
                return web.Response(status=404)


@pytest.fixture
async def shelf(clip: Clip) -> AsyncIterator[Shelf]:
    made = Shelf(audio=clip())
    app = web.Application()
    app.router.add_get("/{tail:.*}", made.answer)
    async with serving(app) as made.url:
        yield made


@pytest.fixture
async def open_rc(settings: Settings) -> AsyncIterator[Rc]:
    """An engine that fetches from everywhere."""
    engine = settings.engine.model_copy(update={"media_allow_private": True, "media_max_bytes": 1_000_000})
    async with running_engine(settings.model_copy(update={"engine": engine})) as client:
        yield client


async def ask(rc: Rc, uri: str, receiver: Receiver, path: str = DIARIZE, **body: str) -> Answer:
    whole = {"encoding": "Wav", "languageCode": "en-US", "contentUri": uri, **body}
    return await rc.call("POST", path, json=whole, params={"webhook": receiver.url})


async def error(receiver: Receiver) -> tuple[str, str]:
    """Code and parameter of the Fail that is told next."""
    _, told = await receiver.next()
    assert told["status"] == "Fail"
    (found,) = told["response"]["errors"]
    return found["message"].partition(":")[0], found["parameterName"]


@pytest.mark.parametrize("path", ["audio", "moved/2"])
async def test_it_is_fetched_redirects_and_all_and_its_address_forgotten(
    open_rc: Rc, shelf: Shelf, receiver: Receiver, redis: ArqRedis, settings: Settings, path: str
) -> None:
    assert (await ask(open_rc, f"{shelf.url}/{path}?access_token=t0ken", receiver)).status == 202
    _, told = await receiver.next()
    assert (told["status"], told["response"]["speakerCount"]) == ("Success", 1)
    kept = await whole(redis, keys.job(settings.account, told["jobId"]))
    assert kept["content_uri"] == b""
    assert b"t0ken" not in b" ".join(kept.values())


async def test_a_sample_may_be_fetched_too_and_counts_once(open_rc: Rc, shelf: Shelf, receiver: Receiver) -> None:
    await ask(open_rc, f"{shelf.url}/audio", receiver, ENROLLMENTS, speakerId="a")
    _, told = await receiver.next()
    assert told == (await open_rc.get("a")).body
    again = await open_rc.add("a", shelf.audio)
    assert (again.status, again.code) == (400, "duplicate_sample")


async def test_what_is_unwell_is_asked_again(open_rc: Rc, shelf: Shelf, receiver: Receiver) -> None:
    shelf.unwell = 2
    await ask(open_rc, f"{shelf.url}/audio", receiver)
    _, told = await receiver.next()
    assert (told["status"], shelf.asked) == ("Success", ["/audio"] * 3)
    shelf.unwell = 9
    await ask(open_rc, f"{shelf.url}/audio", receiver)
    assert await error(receiver) == ("source_unavailable", "contentUri")


async def test_what_can_not_be_had_says_why(open_rc: Rc, shelf: Shelf, receiver: Receiver) -> None:
    for path, code in (
        ("gone", "not_found"),
        ("moved/4", "unreadable_source"),
        ("file", "forbidden_source"),
    ):
        await ask(open_rc, f"{shelf.url}/{path}", receiver)
        assert await error(receiver) == (code, "contentUri")
    shelf.audio = b"x" * 1_000_001
    await ask(open_rc, f"{shelf.url}/audio", receiver)
    assert await error(receiver) == ("too_large", "contentUri")
    shelf.audio = b"no audio"
    await ask(open_rc, f"{shelf.url}/audio", receiver)
    assert await error(receiver) == ("not_audio", "contentUri")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_private_addresses_are_not_spoken_to(deaf: Rc, shelf: Shelf, receiver: Receiver, host: str) -> None:
    await ask(deaf, f"http://{host}:{shelf.url.rpartition(':')[2]}/audio", receiver)
    assert await error(receiver) == ("forbidden_source", "contentUri")
    assert shelf.asked == []


async def test_a_redirect_leads_nowhere_private(shelf: Shelf, tmp_path: Path) -> None:
    limits = Limits(
        max_bytes=1000, seconds=10, allow_private=False, redirects=3, settings="X",
        public=lambda address: address == "127.0.0.1",  # of all addresses the shelf's alone
    )  # fmt: skip
    with pytest.raises(DownloadError) as refused:
        await download(f"{shelf.url}/inside", tmp_path / "audio", limits)
    assert refused.value.code == "forbidden_source"
    assert shelf.asked == ["/inside"]


async def test_nobody_waits_for_a_url(deaf: Rc) -> None:
    body = {"speakerId": "a", "encoding": "Wav", "contentUri": "https://example.com/a.wav"}
    for path in (ENROLLMENTS, "/ai/audio/v1/speaker-identify"):
        answer = await deaf.call("POST", path, json=body | {"speakerIds": []})
        assert (answer.status, answer.error["errorCode"]) == (400, "CAI-101")


async def test_no_file_is_left(open_rc: Rc, shelf: Shelf, receiver: Receiver, settings: Settings) -> None:
    for path in ("audio", "gone"):
        await ask(open_rc, f"{shelf.url}/{path}", receiver)
        await receiver.next()
    left = {path.suffix for path in (settings.data_dir / "engine" / "jobs").iterdir()}
    assert ".part" not in left
