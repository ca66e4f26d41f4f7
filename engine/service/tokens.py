"""Credentials and access tokens: stateless, HS256, signed with one key and told apart by issuer and audience.

A client shows its secret and a JWT credential and gets an access token of an hour. A token is checked without a look
into Redis, so every process of the engine knows the tokens of the others.
"""

import base64
import binascii
import hmac
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from engine.service.failure import ApiError

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "AI"
_CREDENTIAL_ISSUER = "voxroll"
_TOKEN_ISSUER = "voxroll-engine"  # noqa: S105  a name, not a secret
_ALGORITHM = "HS256"
_TTL_S = range(600, 3601)  # what the contract lets a client ask for; the longest is the default


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


class Tokens:
    """Issues and checks access tokens of one account.

    Args:
        key: signs credentials and tokens.
        client_secret: what every client shows.
        account: whose enrollments the tokens open.
        clock: seconds since 1970.
    """

    def __init__(self, *, key: str, client_secret: str, account: str, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._client_secret = client_secret
        self._account = account
        self._clock = clock

    def grant(self, authorization: str | None, form: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a token request.

        Raises:
            TokenError: client, grant or credential will not do.
        """
        client_id = self._client(authorization)
        if form.get("grant_type") != GRANT:
            raise TokenError(400, "unsupported_grant_type", f"grant_type should be {GRANT}", error_code="OAU-251")
        self._check_credential(str(form.get("assertion", "")))
        ttl_s = _ttl_s(form)
        return {
            "access_token": self.issue(client_id=client_id, ttl_s=ttl_s),
            "token_type": "bearer",
            "expires_in": ttl_s,
            "scope": SCOPE,
            "owner_id": self._account,
            "endpoint_id": str(form.get("endpoint_id") or uuid.uuid4()),
            "session_id": uuid.uuid4().hex,
        }

    def issue(self, *, client_id: str, ttl_s: int) -> str:
        """A new access token."""
        now = int(self._clock())
        claims = {"iss": _TOKEN_ISSUER, "aud": self._account, "sub": client_id, "scope": SCOPE}
        return jwt.encode({**claims, "iat": now, "exp": now + ttl_s}, self._key, _ALGORITHM)

    def check(self, authorization: str | None) -> str:
        """Let a request pass; returns the client id of its token.

        Raises:
            ApiError: 401 without a valid token, 403 with one of another scope.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("token_missing", "send Authorization: Bearer and an access token", "OAU-123")
        try:
            claims = jwt.decode(
                token.strip(),
                self._key,
                [_ALGORITHM],
                {"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
                audience=self._account,
                issuer=_TOKEN_ISSUER,
            )
        except jwt.InvalidTokenError as error:
            raise _unauthorized("token_invalid", "the access token is corrupt; request a new one", "OAU-129") from error
        if float(claims["exp"]) <= self._clock():
            raise _unauthorized("token_expired", "the access token has expired; request a new one", "OAU-128")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise ApiError(403, "scope_missing", f"the access token has no [{SCOPE}] scope", error_code="CMN-401")
        return str(claims["sub"])

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


def _ttl_s(form: Mapping[str, Any]) -> int:
    text = str(form.get("access_token_ttl", _TTL_S[-1]))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_TTL_S[-1])) and int(text) in _TTL_S):
        raise TokenError(
            400,
            "invalid_request",
            f"access_token_ttl should be {_TTL_S[0]} to {_TTL_S[-1]} seconds",
            error_code="CMN-101",
        )
    return int(text)
