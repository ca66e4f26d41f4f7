"""Fetching: only public addresses, no redirects, bounded, and a code for everything that may go wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from config.settings import Intake, Settings
from engine.download import is_public
from tests.support.serving import serving
from worker.enrollment.errors import RejectError, RetryLaterError, VoxrollError
from worker.fetch import Fetcher
from worker.store.objects import ObjectStore


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def content(_request: web.Request) -> web.Response:
        return web.Response(body=b"sound")

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(64):
            await response.write(b"x" * 65_536)
        return response

    async def moved(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/sound")

    async def status(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    app = web.Application()
    app.add_routes([web.get("/sound", content), web.get("/large", large), web.get("/moved", moved)])
    app.add_routes([web.get("/status/{status}", status)])
    async with serving(app) as found:
        yield found


def fetcher(settings: Settings, *, allow_private: bool = True) -> Fetcher:
    return Fetcher(ObjectStore(settings), intake=Intake(max_bytes=1_000_000, allow_private=allow_private))


async def test_a_url_is_fetched(settings: Settings, url: str, tmp_path: Path) -> None:
    path = await fetcher(settings).fetch(f"{url}/sound", to=tmp_path / "r")
    assert path.read_bytes() == b"sound"


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("/large", RejectError, "too_large"),
        ("/moved", RejectError, "unreadable_source"),
        ("/status/404", RejectError, "not_found"),
        ("/status/403", RejectError, "unreadable_source"),
        ("/status/503", RetryLaterError, "source_unavailable"),
    ],
)
async def test_what_goes_wrong_has_a_code(
    settings: Settings, url: str, tmp_path: Path, *, path: str, kind: type[VoxrollError], code: str
) -> None:
    with pytest.raises(kind) as failed:
        await fetcher(settings).fetch(url + path, to=tmp_path / "r")
    assert failed.value.code == code


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433"])
async def test_loopback_is_refused_by_whatever_name(settings: Settings, url: str, tmp_path: Path, host: str) -> None:
    port = url.rpartition(":")[2]
    with pytest.raises(RejectError) as refused:
        await fetcher(settings, allow_private=False).fetch(f"http://{host}:{port}/sound", to=tmp_path / "r")
    odd = host.startswith(("127.1", "2130"))  # spellings of IPv4 that aiohttp itself won't read
    assert refused.value.code == ("unreadable_source" if odd else "forbidden_source")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
    ],
)
def test_public_means_the_whole_internet(address: str, *, public: bool) -> None:
    assert is_public(address) is public


async def test_a_lost_upload_is_not_found(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(RejectError) as failed:
        await fetcher(settings).fetch("upload:uploads/a/0", to=tmp_path / "r")
    assert failed.value.code == "not_found"
