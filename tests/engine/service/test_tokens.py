"""Who gets a token, and what a token opens."""

import time
from typing import Any

import aiohttp
import jwt
import pytest
from arq.connections import ArqRedis

from config.settings import Settings, SettingsError
from engine.service.app import create_app
from engine.service.failure import ApiError
from engine.service.sessions import Sessions
from engine.service.tokens import GRANT, TokenError, Tokens
from tests.support.engine import Answer, Rc, basic, credential

TOKEN = "/restapi/oauth/token"


async def ask(rc: Rc, settings: Settings, *, headers: dict[str, str] | None = None, **form: str) -> Answer:
    whole = {"grant_type": GRANT, "assertion": credential(settings)} | form
    return await rc.call("POST", TOKEN, data=whole, headers=headers or {"Authorization": basic(settings)})


async def test_a_credential_is_exchanged_for_an_hour(deaf: Rc, settings: Settings) -> None:
    answer = await ask(deaf, settings)
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.body
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("bearer", 3600, "AI")
    assert body["owner_id"] == settings.account
    assert (await ask(deaf, settings, access_token_ttl="600", endpoint_id="e1")).body["endpoint_id"] == "e1"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"assertion": "not.a.jwt"}, 400, "invalid_grant"),
        ({"access_token_ttl": "59"}, 400, "invalid_request"),
        ({"access_token_ttl": "9" * 5000}, 400, "invalid_request"),
    ],
)
async def test_bad_token_requests(deaf: Rc, settings: Settings, form: dict[str, str], status: int, error: str) -> None:
    answer = await ask(deaf, settings, headers=None, **form)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.error["errorCode"].startswith(("OAU-", "CMN-"))
    assert answer.body["error_description"]


@pytest.mark.parametrize("claims", [{"sub": "someone-else"}, {"iss": "another"}, {"exp": int(time.time()) - 5}])
async def test_credentials_of_others_are_refused(deaf: Rc, settings: Settings, claims: dict[str, Any]) -> None:
    answer = await ask(deaf, settings, assertion=credential(settings, **claims))
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("header", ["Basic !!!", "Basic Zm9v", "Bearer x", "Basic dm94cm9sbDp3cm9uZw=="])
async def test_clients_without_the_secret_are_refused(deaf: Rc, settings: Settings, header: str) -> None:
    answer = await ask(deaf, settings, headers={"Authorization": header})
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")


async def test_what_opens_the_api(deaf: Rc, settings: Settings) -> None:
    token = (await ask(deaf, settings)).body["access_token"]
    key = settings.engine.token_key.get_secret_value()
    claims = jwt.decode(token, options={"verify_signature": False})

    async def code(header: str | None) -> tuple[int, str]:
        answer = await deaf.call("GET", "/ai/audio/v1/enrollments/x", headers={"Authorization": header or ""})
        return answer.status, answer.error["errorCode"]

    def signed(secret: str = key, algorithm: str = "HS256", **changed: Any) -> str:
        return "Bearer " + jwt.encode(claims | changed, secret, algorithm)

    assert await code(f"bearer {token}") == (404, "CAI-101")
    assert await code(None) == (401, "OAU-123")
    assert await code("Bearer garbage") == (401, "OAU-129")
    assert await code(signed("x" * 48)) == (401, "OAU-129")
    assert await code(signed(aud="another")) == (401, "OAU-129")
    assert await code(signed(exp=1)) == (401, "OAU-128")
    assert await code(signed(scope="ReadCallLog")) == (403, "CMN-401")
    assert await code("Bearer " + jwt.encode(claims, "", "none")) == (401, "OAU-129")
    assert await code("Bearer " + credential(settings)) == (401, "OAU-129")  # a credential is no token
    assert (await ask(deaf, settings, assertion=token)).status == 400  # and a token no credential


@pytest.mark.parametrize("name", ["token_key", "client_secret"])
def test_without_secrets_nothing_starts(settings: Settings, name: str) -> None:
    engine = settings.engine.model_copy(update={name: type(settings.engine.token_key)("")})
    with pytest.raises(SettingsError, match=f"VOXROLL_ENGINE_{name.upper()}: not set; set it to"):
        create_app(settings.model_copy(update={"engine": engine}))


REVOKE = "/restapi/oauth/revoke"


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(settings: Settings, redis: ArqRedis, clock: Clock) -> Tokens:
    key = settings.engine.token_key.get_secret_value()
    sessions = Sessions(redis, account=settings.account)
    return Tokens(key=key, client_secret=key, account=settings.account, sessions=sessions, clock=clock)


def refresh(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


async def test_a_refresh_token_is_used_once_with_ten_seconds_of_grace(
    settings: Settings, tokens: Tokens, clock: Clock
) -> None:
    client = basic(settings)
    first = await tokens.grant(client, {"grant_type": GRANT, "assertion": credential(settings)})
    assert first["refresh_token_expires_in"] == 604_800
    assert await tokens.check(f"Bearer {first['access_token']}") == "voxroll"
    second = await tokens.grant(client, refresh(first["refresh_token"]))
    assert second["session_id"] == first["session_id"]
    assert second["endpoint_id"] == first["endpoint_id"]
    with pytest.raises(ApiError, match="token_revoked"):
        await tokens.check(f"Bearer {first['access_token']}")
    assert await tokens.check(f"Bearer {second['access_token']}") == "voxroll"
    clock.now_s += 10
    await tokens.grant(client, refresh(first["refresh_token"]))
    clock.now_s += 1
    with pytest.raises(TokenError, match="used before") as refused:
        await tokens.grant(client, refresh(first["refresh_token"]))
    assert (refused.value.status, refused.value.error) == (400, "invalid_grant")
    clock.now_s += 604_800
    with pytest.raises(TokenError, match="expired"):
        await tokens.grant(client, refresh(second["refresh_token"]))


async def test_a_refresh_token_is_no_access_token_and_stays_with_its_client(
    deaf: Rc, settings: Settings, tokens: Tokens, clock: Clock
) -> None:
    clock.now_s = time.time()
    granted = (await ask(deaf, settings)).body
    assert (await ask(deaf, settings, refresh_token_ttl="0")).body.keys() == granted.keys() - {
        "refresh_token",
        "refresh_token_expires_in",
    }
    assert (await ask(deaf, settings, refresh_token_ttl="2592001")).body["error"] == "invalid_request"
    with pytest.raises(ApiError, match="token_invalid"):
        await tokens.check(f"Bearer {granted['refresh_token']}")
    other = aiohttp.encode_basic_auth("another", settings.engine.client_secret.get_secret_value())
    with pytest.raises(TokenError, match="another client"):
        await tokens.grant(other, refresh(granted["refresh_token"]))
    for no_token in (granted["access_token"], "x", ""):
        with pytest.raises(TokenError, match="not valid"):
            await tokens.grant(basic(settings), refresh(no_token))


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_either_token_ends_the_session(deaf: Rc, settings: Settings, which: str) -> None:
    client = {"Authorization": basic(settings)}
    granted, other = (await ask(deaf, settings)).body, (await ask(deaf, settings)).body
    assert (await deaf.call("POST", REVOKE, data={"token": granted[which]}, headers=client)).status == 200
    assert (await deaf.call("POST", REVOKE, data={"token": "no token"}, headers=client)).status == 200
    for found, status in ((granted, 401), (other, 404)):
        bearer = {"Authorization": f"Bearer {found['access_token']}"}
        assert (await deaf.call("GET", "/ai/audio/v1/enrollments/x", headers=bearer)).status == status
    again = await deaf.call("POST", TOKEN, data=refresh(granted["refresh_token"]), headers=client)
    assert (again.status, again.body["error"]) == (400, "invalid_grant")
    nothing = await deaf.call("POST", REVOKE, data={}, headers=client)
    assert (nothing.status, nothing.body["error"]) == (400, "invalid_request")
    stranger = await deaf.call("POST", REVOKE, data={"token": "x"}, headers={"Authorization": "Basic eDp4"})
    assert stranger.status == 401
