"""Credentials and tokens: HS256, signed with one key and told apart by issuer and audience.

A client shows its secret and a JWT credential and gets an access token of an hour, and a refresh token of a week that
can be used once. Nothing is kept of a token that lives; `Sessions` knows those that were ended before their time.
"""

import base64
import binascii
import contextlib
import hmac
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.types import Options

from engine.service.failure import ApiError
from engine.service.sessions import Sessions

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH = "refresh_token"
SCOPE = "AI"
_CREDENTIAL_ISSUER = "voxroll"
_ACCESS_ISSUER = "voxroll-engine"
_REFRESH_ISSUER = "voxroll-engine-refresh"
_ALGORITHM = "HS256"
ACCESS_TTL_S = range(600, 3601)  # what the contract lets a client ask for; the longest is the default
REFRESH_TTL_S = range(2_592_001)  # 0: none
_REFRESH_USUAL_S = 604_800
_TIMELESS: Options = {
    "require": ["exp", "sub", "jti", "sid"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class TokenError(Exception):
    """A token request that is refused, in the words of RFC 6749 section 5.2 and with a code of the platform."""

    def __init__(self, status: int, error: str, description: str, *, error_code: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.error_code = error_code

    def body(self) -> dict[str, Any]:
        """OAuth's error members beside the platform's."""
        described = {"errorCode": self.error_code, "message": str(self)}
        return {"error": self.error, "error_description": str(self), **described, "errors": [described]}


@dataclass(frozen=True, slots=True)
class _Session:
    """What the tokens of one login share."""

    session_id: str
    client_id: str
    endpoint_id: str


class Tokens:
    """Issues, checks and revokes the tokens of one account.

    Args:
        key: signs credentials and tokens.
        client_secret: what every client shows.
        account: whose enrollments the tokens open.
        sessions: knows which tokens were ended.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        *,
        key: str,
        client_secret: str,
        account: str,
        sessions: Sessions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._client_secret = client_secret
        self._account = account
        self._sessions = sessions
        self._clock = clock

    async def grant(self, authorization: str | None, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a token request.

        Raises:
            TokenError: client, grant or credential will not do.
        """
        client_id = self._client(authorization)
        grant_type = form.get("grant_type")
        if grant_type == REFRESH:
            return self._issued(await self._refreshed(form.get("refresh_token", ""), client_id), form)
        if grant_type != GRANT:
            known = f"grant_type should be {GRANT} or {REFRESH}"
            raise TokenError(400, "unsupported_grant_type", known, error_code="OAU-251")
        self._check_credential(form.get("assertion", ""))
        endpoint_id = form.get("endpoint_id") or str(uuid.uuid4())
        return self._issued(_Session(uuid.uuid4().hex, client_id, endpoint_id), form)

    async def revoke(self, authorization: str | None, form: Mapping[str, str]) -> None:
        """End the session of an access or refresh token; what is no token (any more) is fine too (RFC 7009, 2.2).

        Raises:
            TokenError: the client will not do, or names no token.
        """
        client_id = self._client(authorization)
        if not form.get("token"):
            raise TokenError(400, "invalid_request", "token should be given", error_code="CMN-101")
        for issuer in (_ACCESS_ISSUER, _REFRESH_ISSUER):
            with contextlib.suppress(jwt.InvalidTokenError):
                claims = self._claims(form["token"], issuer)
                if claims["sub"] == client_id:
                    await self._sessions.end(claims["sid"], for_s=REFRESH_TTL_S[-1])

    def _issued(self, session: _Session, form: Mapping[str, str]) -> dict[str, Any]:
        access_s = _seconds(form, "access_token_ttl", ACCESS_TTL_S, usual=ACCESS_TTL_S[-1])
        refresh_s = _seconds(form, "refresh_token_ttl", REFRESH_TTL_S, usual=_REFRESH_USUAL_S)
        access_id = uuid.uuid4().hex
        issued = {
            "access_token": self._signed(session, _ACCESS_ISSUER, access_s, jti=access_id, scope=SCOPE),
            "token_type": "bearer",
            "expires_in": access_s,
            "scope": SCOPE,
            "owner_id": self._account,
            "endpoint_id": session.endpoint_id,
            "session_id": session.session_id,
        }
        if refresh_s:
            token = self._signed(
                session,
                _REFRESH_ISSUER,
                refresh_s,
                jti=uuid.uuid4().hex,
                access=access_id,
                endpoint=session.endpoint_id,
            )
            issued |= {"refresh_token": token, "refresh_token_expires_in": refresh_s}
        return issued

    def _signed(self, session: _Session, issuer: str, ttl_s: int, **claims: str) -> str:
        now = int(self._clock())
        whose = {"iss": issuer, "aud": self._account, "sub": session.client_id, "sid": session.session_id}
        return jwt.encode({**whose, **claims, "iat": now, "exp": now + ttl_s}, self._key, _ALGORITHM)

    async def _refreshed(self, token: str, client_id: str) -> _Session:
        """The session of a refresh token, which is used up; the access token beside it dies at once."""
        try:
            claims = self._claims(token, _REFRESH_ISSUER)
        except jwt.InvalidTokenError as error:
            raise _bad_refresh("is not valid here") from error
        left_s = float(claims["exp"]) - self._clock()
        if claims["sub"] != client_id or left_s <= 0:
            raise _bad_refresh("has expired" if left_s <= 0 else "is another client's")
        if await self._sessions.any_ended(claims["sid"]):
            raise _bad_refresh("was revoked")
        if not await self._sessions.use_once(claims["jti"], now_s=self._clock(), for_s=left_s):
            raise _bad_refresh("was used before")
        await self._sessions.end(claims["access"], for_s=ACCESS_TTL_S[-1])
        return _Session(claims["sid"], client_id, claims["endpoint"])

    async def check(self, authorization: str | None) -> str:
        """Let a request pass; returns the client id of its token.

        Raises:
            ApiError: 401 without a valid token, 403 with one of another scope.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("token_missing", "send Authorization: Bearer and an access token", "OAU-123")
        try:
            claims = self._claims(token.strip(), _ACCESS_ISSUER)
        except jwt.InvalidTokenError as error:
            raise _unauthorized("token_invalid", "the access token is corrupt; request a new one", "OAU-129") from error
        if float(claims["exp"]) <= self._clock():
            raise _unauthorized("token_expired", "the access token has expired; request a new one", "OAU-128")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise ApiError(403, "scope_missing", f"the access token has no [{SCOPE}] scope", error_code="CMN-401")
        if await self._sessions.any_ended(claims["sid"], claims["jti"]):
            message = "the access token was revoked or replaced; request a new one"
            raise _unauthorized("token_revoked", message, "OAU-128")
        return str(claims["sub"])

    def _claims(self, token: str, issuer: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token, self._key, [_ALGORITHM], _TIMELESS, audience=self._account, issuer=issuer
        )
        return claims

    def _client(self, authorization: str | None) -> str:
        login, secret = _basic(authorization or "")
        if not hmac.compare_digest(secret, self._client_secret.encode()):
            raise TokenError(401, "invalid_client", "the client secret is another one", error_code="OAU-153")
        return login

    def _check_credential(self, assertion: str) -> None:
        try:
            jwt.decode(
                assertion,
                self._key,
                [_ALGORITHM],
                {"require": ["iss", "sub"]},
                subject=self._account,
                issuer=_CREDENTIAL_ISSUER,
            )
        except jwt.InvalidTokenError as error:
            raise TokenError(
                400, "invalid_grant", f"the JWT credential is not valid here ({error})", error_code="OAU-140"
            ) from error


def _basic(authorization: str) -> tuple[str, bytes]:
    """Client id and secret of a Basic header."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        login, colon, secret = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        colon = b""
    if scheme.lower() != "basic" or not colon:
        raise TokenError(401, "invalid_client", "client authentication by Basic is required", error_code="OAU-123")
    return login.decode(errors="replace"), secret


def _unauthorized(code: str, message: str, error_code: str) -> ApiError:
    return ApiError(401, code, message, error_code=error_code)


def _bad_refresh(reason: str) -> TokenError:
    return TokenError(400, "invalid_grant", f"the refresh token {reason}; log in anew", error_code="OAU-210")


def _seconds(form: Mapping[str, str], name: str, allowed: range, *, usual: int) -> int:
    text = form.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(allowed[-1])) and int(text) in allowed):
        raise TokenError(
            400, "invalid_request", f"{name} should be {allowed[0]} to {allowed[-1]} seconds", error_code="CMN-101"
        )
    return int(text)
