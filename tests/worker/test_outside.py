"""What `voxroll doctor` says of webhookUrl and of the clock: against real servers, with certificates made here."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from tests.support.serving import bound, serving, url_of
from webhook.health import healthz
from worker.outside import OutsideError, clock_of, reached

HERE = URL("http://127.0.0.1:1")
ELSEWHERE = URL("https://8.8.8.8")  # a public address: nothing is sent there


def app(*, status: int = 200, after_s: float = 0.0, body: str | None = None, location: str = "") -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(after_s)
        if body is None and status == 200:
            return await healthz(request)
        return web.Response(status=status, text=body, headers={"Location": location} if location else {})

    made = web.Application()
    made.add_routes([web.get("/healthz", answer)])
    return made


async def wrong(url: URL, *, api: URL = HERE, answer_s: float = 3.0) -> str:
    with pytest.raises(OutsideError) as found:
        await reached(url, api=api, answer_s=answer_s)
    return str(found.value)


async def test_a_front_door_that_answers_is_told_with_its_time() -> None:
    async with serving(app()) as url:
        told = await reached(URL(url), api=HERE)
    assert told.startswith(f"{url} answers 200 in ")
    assert told.endswith(" ms")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (app(status=301, location="https://example.org/"), "answers 301 and leads to https://example.org/"),
        (app(status=404), "answers 404; exactly 200 is needed"),
        (app(body="hello"), "not as Voxroll's front door"),
    ],
)
async def test_who_answers_otherwise_is_told(made: web.Application, words: str) -> None:
    async with serving(made) as url:
        assert words in await wrong(URL(url))


async def test_who_is_slow_or_away_is_told() -> None:
    async with serving(app(after_s=0.3)) as url:
        assert "senders of callbacks wait 0.2 s" in await wrong(URL(url), answer_s=0.2)
    async with serving(app(after_s=9)) as url:
        assert "no answer within 0.4 s" in await wrong(URL(url), answer_s=0.2)
    assert "nothing listens there" in await wrong(HERE)
    assert "can't be resolved" in await wrong(URL("http://nobody.invalid"))


async def test_what_the_api_can_not_reach_is_told_without_asking() -> None:
    assert "127.0.0.1 is 127.0.0.1, which 8.8.8.8 can't reach" in await wrong(HERE, api=ELSEWHERE)
    assert "not https" in await wrong(URL("http://8.8.4.4"), api=ELSEWHERE)


@contextlib.asynccontextmanager
async def encrypted(folder: Path, *, name: str = "127.0.0.1", days: int = 90) -> AsyncIterator[URL]:
    """A front door with a certificate that it signed itself, in `folder/cert.pem`."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address(name)) if name[0].isdecimal() else x509.DNSName(name)]
    )
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*text))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    runner, listening = web.AppRunner(app(), access_log=None, shutdown_timeout=1), bound()
    await runner.setup()
    try:
        await web.SockSite(runner, listening, ssl_context=context).start()
        yield URL(url_of(listening).replace("http:", "https:"))
    finally:
        await runner.cleanup()


async def test_a_certificate_that_is_valid_is_told_until_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with encrypted(tmp_path) as url:
        told = await reached(url, api=HERE)
    assert f"certificate valid until {datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}" in told


@pytest.mark.parametrize(
    ("name", "days", "is_trusted", "words"),
    [
        ("127.0.0.1", 90, False, "self-signed certificate"),
        ("example.org", 90, True, "IP address mismatch"),
        ("127.0.0.1", -1, True, "certificate has expired"),
        ("127.0.0.1", 3, True, "renew it"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, name: str, days: int, is_trusted: bool, words: str
) -> None:
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with encrypted(tmp_path, name=name, days=days) as url:
        assert words in await wrong(url)


async def test_no_tls_where_https_is_named_is_told() -> None:
    async with serving(app()) as url:
        assert "no such connection" in await wrong(URL(url.replace("http:", "https:")))


@pytest.mark.parametrize(("ahead_s", "header"), [(0.0, None), (3600.0, None), (None, "soon")])
async def test_the_clock_is_held_against_another_s(ahead_s: float | None, header: str | None) -> None:
    async def answer(_request: web.Request) -> web.Response:
        told = datetime.now(UTC) - timedelta(seconds=ahead_s or 0.0)
        return web.Response(headers={"Date": header or f"{told:%a, %d %b %Y %H:%M:%S} GMT"})

    made = web.Application()
    made.add_routes([web.route("HEAD", "/", answer)])
    async with serving(made) as url, aiohttp.ClientSession() as http:
        found = await clock_of(http, URL(url))
    assert found == (None if ahead_s is None else pytest.approx(ahead_s, abs=1.0))
